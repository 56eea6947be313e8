"""What ``/metrics`` shows Prometheus, by its conventions for names and units.

https://prometheus.io/docs/practices/naming/: base units, ``_total`` for what only
grows, a moment as ``_timestamp_seconds`` so that alert rules count from ``time()``.
Every label has few values, which are known before; none is a phone's or a stranger's.
"""

import contextlib
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from math import inf

from cryptography.hazmat.backends.openssl import backend
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from linekey import __version__
from linekey.console.facts import AuthorityLine
from linekey.console.source import StoreSource
from linekey.console.watch import Outlook
from linekey.errors import StorageError
from linekey.provisioning.decision import Reason
from linekey.server import counters as cells
from linekey.server.counters import Counters


@dataclass(frozen=True, slots=True)
class Facts:
    """What is no counter. ``authorities`` are None where the database is in trouble,
    ``outlook`` until there was time for a forecast."""

    started_at: datetime
    certificate_not_after: datetime
    authorities: Sequence[AuthorityLine] | None
    outlook: Outlook | None = None
    pending: Mapping[str, int] | None = None
    """How many phones are pending, by state; None as ``authorities`` are."""
    messages: Mapping[str, int] | None = None
    """How many messages about alerts are not delivered, by state; likewise."""


async def numbers_now(
    counters: Counters,
    source: StoreSource,
    *,
    started_at: datetime,
    not_after: datetime,
    outlook: Outlook | None,
    now: datetime,
) -> bytes:
    """Return the text of ``/metrics`` as it is now, also while the database is not."""
    authorities = pending = messages = None
    with contextlib.suppress(StorageError):  # which is a metric, too
        authorities = await source.authorities(now)
        pending = await source.pending()
        messages = await source.alert_messages()
    facts = Facts(started_at, not_after, authorities, outlook, pending, messages)
    return exposition(counters, facts)


def exposition(counters: Counters, facts: Facts) -> bytes:
    """Return the text of ``/metrics``."""
    return generate_latest(registry(counters, facts))


def registry(counters: Counters, facts: Facts) -> CollectorRegistry:
    """Return all families, as they are now."""
    found = CollectorRegistry()
    found.register(_Families(counters, facts))
    return found


class _Families(Collector):
    def __init__(self, counters: Counters, facts: Facts) -> None:
        self._total = counters.total
        self._facts = facts

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily(
            "linekey_build",
            "Which linekey runs here, and on what.",
            {
                "version": __version__,
                "python": platform.python_version(),
                "openssl": backend.openssl_version_text(),
            },
        )
        yield self._counted(
            "decisions",
            "Requests decided, by outcome and reason (docs/reference/reasons.md).",
            ("outcome", "reason"),
            (((_outcome(r), r), n) for r, n in cells.DECIDED.items()),
        )
        yield self._counted(
            "requests",
            "Requests decided, by TLS version and policy; behind a proxy the policy "
            "is the proxy's, and empty here.",
            ("tls_version", "policy"),
            cells.SERVED.items(),
        )
        counts = list(accumulate(map(self._total, cells.TOOK)))
        yield HistogramMetricFamily(
            "linekey_request_duration_seconds",
            "From a request's head to its answer, which waits until the decision is "
            "on disk.",
            [
                ("+Inf" if bound == inf else str(bound), count)
                for bound, count in zip(cells.BOUNDS_S, counts, strict=True)
            ],
            self._total(cells.TOOK_US) / 1e6,
        )
        yield self._counted(
            "unavailable",
            "Requests answered 503, by cause: nobody decided on them.",
            ("cause",),
            (((cause,), n) for cause, n in cells.UNAVAILABLE.items()),
        )
        yield self._counted(
            "door_refusals",
            "Handshakes and broken requests that the door refused, by reason.",
            ("reason",),
            (((reason,), n) for reason, n in cells.TURNED_AWAY.items()),
        )
        yield self._counted(
            "log_lines_lost",
            "Lines of the log on stderr that were not written: nobody read it.",
            ("level",),
            (((level,), n) for level, n in cells.LINES_LOST.items()),
        )
        for name, text, number in (
            ("handshakes", "TLS handshakes that ended well.", cells.HANDSHAKES),
            ("connections", "TCP connections accepted.", cells.ACCEPTED),
            (
                "connections_shed",
                "Half-open connections closed.",
                cells.SHED,
            ),
            ("refusals_unrecorded", "Refusals without a record.", cells.DROPPED),
        ):
            yield self._counted(name, text, (), [((), number)])
        yield from self._gauges()

    def _gauges(self) -> Iterator[Metric]:
        facts, known = self._facts, self._facts.authorities
        for name, text, value in (
            ("open_connections", "Connections now.", self._total(cells.CONNECTIONS)),
            (
                "half_open_connections",
                "Handshakes under way now, from a whole ClientHello.",
                self._total(cells.HALF_OPEN),
            ),
            (
                "disk_full_workers",
                "Workers that record decisions about phones only: the disk is full.",
                self._total(cells.SHORT_OF_ROOM),
            ),
            ("database_up", "1: the database answers; 0: not.", int(known is not None)),
            (
                "start_timestamp_seconds",
                "When the server began, in seconds since 1970.",
                facts.started_at.timestamp(),
            ),
            (
                "certificate_not_after_timestamp_seconds",
                "When the server's certificate expires, in seconds since 1970.",
                facts.certificate_not_after.timestamp(),
            ),
        ):
            yield GaugeMetricFamily(f"linekey_{name}", text, value=value)
        ends = GaugeMetricFamily(
            "linekey_vendor_ca_not_after_timestamp_seconds",
            "When a trusted vendor CA expires, in seconds since 1970; absent while the "
            "database does not answer.",
            labels=["name", "vendor", "role", "sha256"],
        )
        for ca in known or ():
            ends.add_metric(
                [ca.name, ca.vendor, ca.role, ca.sha256], ca.not_after.timestamp()
            )
        yield ends
        pending = GaugeMetricFamily(
            "linekey_pending_phones",
            "Phones that proved which they are and that nobody has registered: waiting "
            "for a decision (open), or refused; absent while the database does not "
            "answer.",
            labels=["state"],
        )
        for state, count in (facts.pending or {}).items():
            pending.add_metric([state], count)
        yield pending
        messages = GaugeMetricFamily(
            "linekey_alert_messages",
            "Messages about alerts that are not delivered: tried again (waiting), or "
            "given up (undelivered; linekey alert list); absent while the database "
            "does not answer.",
            labels=["state"],
        )
        for state, count in (facts.messages or {}).items():
            messages.add_metric([state], count)
        yield messages
        yield from self._forecast()

    def _forecast(self) -> Iterator[Metric]:
        outlook = self._facts.outlook
        made = GaugeMetricFamily(
            "linekey_forecast_timestamp_seconds",
            "When the forecast of these metrics was made, in seconds since 1970; it is "
            "made anew each hour.",
            labels=[],
        )
        phones = GaugeMetricFamily(
            "linekey_forecast_phones",
            "Phones that lose this server or stop being recognised within 400 days "
            "(ahead), or have done so already (already); linekey forecast says which.",
            labels=["when"],
        )
        ends = GaugeMetricFamily(
            "linekey_forecast_next_end_timestamp_seconds",
            "When the next phones refuse this server (accepts), or are not recognised "
            "any more (recognised), in seconds since 1970; absent: none within 400 "
            "days.",
            labels=["kind"],
        )
        concerned = GaugeMetricFamily(
            "linekey_forecast_next_end_phones", "How many phones that is.",
            labels=["kind"],
        )  # fmt: skip
        if outlook is not None:
            made.add_metric([], outlook.made_at.timestamp())
            phones.add_metric(["ahead"], outlook.failing)
            phones.add_metric(["already"], outlook.failed)
            for kind, (at, count) in outlook.next_end.items():
                ends.add_metric([kind], at.timestamp())
                concerned.add_metric([kind], count)
        yield from (made, phones, ends, concerned)

    def _counted(
        self,
        name: str,
        text: str,
        labels: tuple[str, ...],
        numbers: Iterable[tuple[tuple[str, ...], int]],
    ) -> CounterMetricFamily:
        family = CounterMetricFamily(f"linekey_{name}", text, labels=labels)
        for values, number in numbers:
            family.add_metric(values, self._total(number))
        return family


_OUTCOMES = {str(reason): str(reason.outcome) for reason in Reason}


def _outcome(reason: str) -> str:
    return _OUTCOMES.get(reason, "refused")
