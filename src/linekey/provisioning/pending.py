"""A phone that proves itself and that nobody has registered: what is done with it.

It is **pending** if its own certificate names its MAC, the path to a trusted CA holds
now, and there is no record. A certificate that many phones share, a password, or a MAC
in a URL make no phone pending. What the operator wants of such phones (``Policy``):

    refuse    nothing is handed out; the phone is listed all the same
    waiting   in the place of its own file it gets a waiting file
    adopt     as waiting; a phone that fits a rule is registered at once

The policy is the one that the operator gave the CA nearest to the leaf, else the
server's. A rule (``AdoptionRule``) is a list of MACs and ranges of them; one that does
not adopt only says for which group a phone is meant, so that who is limited to that
group may approve it.

Rules: a waiting file is made of nothing but the phone's code, so nothing of fleet,
group, model or another phone can be in it. The code is no secret and opens nothing: it
is a fingerprint of MAC and certificate, short enough to read off a display, and two
phones may have the same.
"""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from linekey.catalog.models import find_model
from linekey.catalog.vendors import KNOWN_VENDORS
from linekey.errors import InputError
from linekey.mac import Mac, parse_mac
from linekey.makers.all import find_other, maker_of
from linekey.provisioning.decision import Newcomer
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Setting
from linekey.provisioning.group import Group
from linekey.provisioning.resource import SNOM
from linekey.said import say
from linekey.words import choice_hint

CODE_DIGITS = 4
MAX_RANGES = 100_000
"""Entries of one rule: a MAC each for a large delivery."""


class Policy(StrEnum):
    """What a phone that nobody registered gets."""

    REFUSE = "refuse"
    WAITING = "waiting"
    ADOPT = "adopt"

    @property
    def waits(self) -> bool:
        """Whether it gets a waiting file."""
        return self is not Policy.REFUSE


def pending_code(mac: Mac, leaf_sha256: str | None) -> str:
    """Return the code that display and list both show: four digits.

    Whoever knows the MAC and the certificate can compute it; with another certificate
    the same phone has another code.
    """
    seen = f"linekey pending phone {mac} {leaf_sha256 or ''}".encode()
    number = int.from_bytes(hashlib.sha256(seen).digest()[:8], "big")
    return f"{number % 10**CODE_DIGITS:0{CODE_DIGITS}}"


# ---- the waiting file ----

IDLE_TEXT = ("user_idle_text", 1)
"""What an idle line shows. PBX-TEMPLATES (M): Gemeinschaft calls it the name shown on
the idle screen. That a phone without an account shows it is an inference (L)."""
REFRESH = ("settings_refresh_timer", None)
"""Seconds after which the phone asks again (SNOM-SETTING, M)."""


def waiting_layer(code: str, ask_again_s: int) -> Layer:
    """Everything a waiting file says."""
    text = f"Waiting for approval, code {code}"
    return Layer(
        (
            Setting(IDLE_TEXT[0], text, IDLE_TEXT[1], perm="RW"),
            Setting(REFRESH[0], str(ask_again_s), perm="RW"),
        )
    )


TAKEN_BACK = Layer(
    tuple(Setting(name, "", idx, perm="RW") for name, idx in (IDLE_TEXT, REFRESH))
)
"""The same, emptied: lowest layer of a phone that once got a waiting file
(``Device.waited``), since a phone keeps what no later file mentions."""

_INTERVAL = "any.provisioning.interval"


def waiting_layer_neutral(ask_again_s: int) -> Layer:
    """The same for another maker's phone, whose display cannot be told a code.

    No setting of Yealink, Poly or Grandstream is known to show a text on a phone
    without an account; the code stands in a comment of the file, and in the list.
    """
    return Layer((Setting(_INTERVAL, str(ask_again_s)),))


TAKEN_BACK_NEUTRAL = Layer((Setting(_INTERVAL, "86400"),))
"""What takes it back: such phones have no value that says "as from the factory"."""


# ---- rules ----


@dataclass(frozen=True, slots=True, order=True)
class MacRange:
    """From one MAC to another, both included."""

    first: Mac
    last: Mac

    def __str__(self) -> str:
        if self.first == self.last:
            return str(self.first)
        return f"{self.first}-{self.last}"

    @property
    def count(self) -> int:
        """How many MACs there are in it."""
        return int(self.last.digits, 16) - int(self.first.digits, 16) + 1


@dataclass(frozen=True, slots=True)
class AdoptionRule:
    """Which phones the operator expects, and what their records are to say."""

    name: str
    ranges: tuple[MacRange, ...]
    """In order, none of them overlapping."""
    label: str = ""
    group: str | None = None
    model: str | None = None
    """As in ``catalog.models`` for Snom; None: as the certificate says, if it does."""
    vendor: str = ""
    """Only phones whose certificate is this maker's; empty: any trusted one's."""
    adopts: bool = True
    """Whether it registers phones by itself; else they wait for somebody's approval."""

    @property
    def count(self) -> int:
        """How many MACs it speaks of."""
        return sum(r.count for r in self.ranges)

    def fits(self, mac: Mac, vendor: str | None) -> bool:
        """Whether it speaks of a phone with this certificate."""
        if self.vendor and self.vendor != vendor:
            return False
        where = bisect_right(self.ranges, mac, key=lambda r: r.first) - 1
        return where >= 0 and mac <= self.ranges[where].last

    def device(self, newcomer: Newcomer) -> Device:
        """The record that it gives a phone. Never raises."""
        model = self.model or known_model(newcomer.vendor, newcomer.certificate_model)
        return Device(
            newcomer.mac,
            record_vendor(newcomer.vendor),
            model,
            label=self.label,
            group=self.group,
        )


def record_vendor(vendor: str) -> str:
    """What a record says of a phone whose certificate is of ``vendor``.

    A name that is no maker's is the operator's own CA's, for phones of any maker.
    """
    return vendor if vendor in KNOWN_VENDORS else ""


def known_model(vendor: str, model: str | None) -> str | None:
    """A model's name as a record has it; None for a Snom that the catalogue has not."""
    if not model:
        return None
    if record_vendor(vendor) not in SNOM:
        found = find_other(model)
        maker = maker_of(vendor)
        fits = found is not None and maker is not None and found.maker == maker.id
        return found.name if fits and found is not None else model
    try:
        known = find_model(model)
    except InputError:
        return None
    return known.name if known.is_known else None


_AGENT = re.compile(r"\bsnom ?([A-Za-z0-9]{1,8})\b", re.ASCII | re.IGNORECASE)


def likely_model(
    newcomer: Newcomer, user_agent: str | None
) -> tuple[str | None, str | None]:
    """Which model a pending phone is, and on whose word; None: nobody says one.

    ``certificate`` proves it; ``user_agent`` and ``file`` (its name) are what the phone
    says of itself. How a User-Agent names a model: SNOM-AGENT, and the
    other makers' folders (H).
    """
    agent = None
    if user_agent and record_vendor(newcomer.vendor) in (*SNOM, ""):
        found = _AGENT.search(user_agent[:200])
        agent = known_model("snom", found[1]) if found else None
    elif user_agent and (maker := maker_of(newcomer.vendor)) is not None:
        words = set(re.split(r"[\s/(]+", user_agent[:200].replace("-UA/", " ")))
        agent = next((m.name for m in maker.models if m.user_agent_name in words), None)
    for text, by in (
        (known_model(newcomer.vendor, newcomer.certificate_model), "certificate"),
        (agent, "user_agent"),
        (known_model(newcomer.vendor, newcomer.file_model), "file"),
    ):
        if text:
            return text, by
    return None, None


@dataclass(frozen=True, slots=True)
class Adoption:
    """All rules. No two of them speak of one MAC (``overlap``)."""

    rules: tuple[AdoptionRule, ...] = ()
    _starts: tuple[tuple[Mac, AdoptionRule], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        starts = sorted(
            ((r.first, rule) for rule in self.rules for r in rule.ranges),
            key=lambda start: start[0],
        )
        object.__setattr__(self, "_starts", tuple(starts))

    def find(self, mac: Mac, vendor: str | None) -> AdoptionRule | None:
        """Return the rule that speaks of a phone."""
        where = bisect_right(self._starts, mac, key=lambda start: start[0]) - 1
        if where < 0:
            return None
        rule = self._starts[where][1]
        return rule if rule.fits(mac, vendor) else None


NO_RULES = Adoption()


@dataclass(frozen=True, slots=True)
class Welcome:
    """What the operator wants of the phone that asks, if nobody registered it."""

    policy: Policy = Policy.REFUSE
    refused: bool = False
    """Whether the operator refused this very phone; then no policy lets it in."""
    rule: AdoptionRule | None = None
    """The one that it fits."""
    group: Group | None = None
    """The rule's group, if it is there."""
    ask_again_s: int = 300
    """Seconds after which a phone that waits is to ask again."""

    @property
    def waits(self) -> bool:
        """Whether the phone may have a waiting file."""
        return self.policy.waits and not self.refused

    @property
    def adopts(self) -> bool:
        """Whether the rule may register it."""
        is_asked = self.policy is Policy.ADOPT and not self.refused
        return is_asked and self.rule is not None and self.rule.adopts


def policy_of(
    authorities: Sequence[str], of_cas: Mapping[str, Policy], otherwise: Policy
) -> Policy:
    """The policy for a path of CAs with these keys (SHA-256), nearest first."""
    for key in authorities:
        if (policy := of_cas.get(key)) is not None:
            return policy
    return otherwise


# ---- what the operator writes ----

_PAIR = re.compile(
    r"((?:[0-9A-Fa-f]{12}|[0-9A-Fa-f:.]{14,17}))-"
    r"((?:[0-9A-Fa-f]{12}|[0-9A-Fa-f:.]{14,17}))",
    re.ASCII,
)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,46}[a-z0-9])?", re.ASCII)


def parse_range(text: str) -> MacRange:
    """Read a MAC, or ``000413AA0000-000413AAFFFF``; ``..`` may stand between them, too.

    Raises InputError for what is neither, and for a range that ends before it begins.
    """
    words = text.strip()
    if ".." in words:
        parts = words.split("..")
    elif " - " in words:
        parts = words.split(" - ")
    elif pair := _PAIR.fullmatch(words):
        parts = [pair[1], pair[2]]
    else:
        parts = [words]
    if len(parts) > 2:
        raise InputError(
            say("not a range of MACs: %(words)s", words=repr(words[:64])),
            hint=say("write 000413AA0000-000413AAFFFF"),
        )
    macs = [parse_mac(part.strip()[:64]) for part in parts]
    first, last = macs[0], macs[-1]
    if last < first:
        raise InputError(
            say(
                "the range %(first)s-%(last)s ends before it begins",
                first=first,
                last=last,
            ),
            hint=say(
                "write %(last)s-%(first)s, if that is meant", last=last, first=first
            ),
        )
    return MacRange(first, last)


def parse_ranges(text: str, origin: str) -> tuple[MacRange, ...]:
    """Read a file of MACs and ranges, one a line.

    Empty lines, what follows a # and a first line ``mac`` do not count; of a table the
    first column does. ``origin`` is the file's name for errors. Raises InputError, with
    the line, for one that is neither, and for a file without any.
    """
    found: list[MacRange] = []
    for number, line in enumerate(text.splitlines(), 1):
        word = re.split(r"[,;\t]", line.partition("#")[0])[0].strip().strip('"')
        if not word or (number == 1 and word.lower() in ("mac", "range")):
            continue
        try:
            found.append(parse_range(word))
        except InputError as error:
            raise InputError(
                say(
                    "%(origin)s:%(number)s: %(message)s",
                    origin=origin,
                    number=str(number),
                    message=error.message,
                ),
                hint=error.hint,
            ) from None
        if len(found) > MAX_RANGES:
            raise InputError(
                say(
                    "%(origin)s has more than %(max_ranges)s entries",
                    origin=origin,
                    max_ranges=MAX_RANGES,
                ),
                hint=say("write ranges, or several rules"),
            )
    if not found:
        raise InputError(
            say("%(origin)s names no MAC", origin=origin),
            hint=say("write one MAC or range of MACs per line"),
        )
    return joined(found)


def joined(ranges: Iterable[MacRange]) -> tuple[MacRange, ...]:
    """In order, and one in the place of those that overlap or follow each other."""
    found: list[MacRange] = []
    for each in sorted(ranges):
        before = found[-1] if found else None
        if before and int(each.first.digits, 16) <= int(before.last.digits, 16) + 1:
            found[-1] = MacRange(before.first, max(before.last, each.last))
        else:
            found.append(each)
    return tuple(found)


def parse_rule_name(text: str) -> str:
    """Return a rule's name as it is kept, in lower case; raises InputError."""
    name = text.strip().lower()
    if _NAME.fullmatch(name):
        return name
    raise InputError(
        say("not a rule's name: %(text)s", text=repr(text[:64])),
        hint=say(
            "up to 48 letters, digits, '.', '_' and '-', such as delivery-2026-11"
        ),
    )


def parse_policy_of_ca(text: str) -> Policy | None:
    """Read a policy for a CA; None for ``default``: the server's. Raises InputError."""
    word = text.strip().lower()
    if word == "default":
        return None
    try:
        return Policy(word)
    except ValueError:
        raise InputError(
            say("no policy for unregistered phones: %(text)s", text=repr(text[:40])),
            hint=say(
                "%(choice_hint)s; default: as linekey.toml says",
                choice_hint=choice_hint(word, Policy),
            ),
        ) from None


def overlap(rule: AdoptionRule, others: Iterable[AdoptionRule]) -> tuple[str, str]:
    """A range of another rule that speaks of the same MACs: the rule's name, and it.

    Empty texts where there is none.
    """
    for other in others:
        if other.name == rule.name:
            continue
        for each in rule.ranges:
            where = bisect_right(other.ranges, each.last, key=lambda r: r.first) - 1
            if where >= 0 and other.ranges[where].last >= each.first:
                return other.name, str(other.ranges[where])
    return "", ""
