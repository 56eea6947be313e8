"""The virtual phone as a state machine: events in, commands out.

Theory of operation: ``Machine.handle(event, now)`` changes ``Machine.state`` and says
what is to be done, in order. A ``Save`` comes before anything that leaves the phone, so
that a crash loses nothing that was shown to the world. ``now`` is the phone's own
clock. The machine never waits, and whatever an event brings, the worst is a line in the
log. What ``handle`` raises all the same is a fault of linekey's own: ``faulted`` says
how the phone goes on.

    power-on ─▶ provisioning ─▶ provisioned │ refused │ failed ─▶ (timer) provisioning …
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from linekey.catalog.root_lists import lists_for
from linekey.errors import InputError
from linekey.phone.app_events import AppEvent
from linekey.phone.app_machine import handle_app
from linekey.phone.apply import (
    activate_authentication,
    apply_document,
    note_identity,
    remarks_on,
    take_download,
)
from linekey.phone.apps import Apps
from linekey.phone.defaults import REFRESH_TIMER
from linekey.phone.document import parse_document
from linekey.phone.events import (
    Answer,
    ApplySettings,
    BuiltInReplaced,
    CertificateRemoved,
    CertificateUploaded,
    Command,
    ConnectionEnded,
    DocumentFetched,
    Event,
    ExceptionAdded,
    FactoryResetDone,
    Fetch,
    FetchFailed,
    FirmwareChanged,
    NotificationDismissed,
    PatchInstalled,
    PoweredOn,
    ProvisioningWanted,
    RoundEnded,
    Save,
    ServerAuthenticationActivated,
    SettingEntered,
    WakeUp,
)
from linekey.phone.exposure import exposed_names, open_way
from linekey.phone.exposure import warning as exposure_warning
from linekey.phone.own_refusal import cure_of_answer
from linekey.phone.patch import read_patch, refusal
from linekey.phone.settings import PhoneSettings
from linekey.phone.state import FetchedDocument, Level, PhoneState, Status
from linekey.phone.tabs import find_certificate, remove, upload
from linekey.phone.tls_log import note_connection
from linekey.phone.urls import nested_url, redact_url, settings_urls
from linekey.phone.uses.provisioning.round import Round, retry_after_s
from linekey.phone.wording import own_fault
from linekey.trust.connection import Purpose
from linekey.trust.http_refusal import HttpRefusal, read_http_refusal

_REFRESH_LEAST_S = 60
_REFRESH_MOST_S = 366 * 86400


class Machine:
    """One phone's behaviour. ``state`` is what it is now."""

    def __init__(self, state: PhoneState) -> None:
        self.state = state
        self._round: Round | None = None
        self._rounds = 0
        self._failures = 0

    def handle(self, event: Event, now: datetime) -> list[Command]:
        """Take one event; return what to do, in order.

        No event is answered with an exception. One that comes is a fault of linekey's
        own, in whatever was called; hand it to ``faulted``.
        """
        match event:
            case PoweredOn():
                return self._powered_on(now)
            case ProvisioningWanted():
                return self._provisioning_wanted(event, now)
            case DocumentFetched():
                return self._document_fetched(event, now)
            case FetchFailed():
                return self._fetch_failed(event, now)
            case ConnectionEnded():
                self.state = note_connection(self.state, event.report, now)
                return [Save()]
            case ExceptionAdded():
                return self._exception_added(event, now)
            case CertificateRemoved():
                self.state, answer = remove(self.state, event.sha256, now)
                return [Save(), answer]
            case CertificateUploaded():
                self.state, answer = upload(
                    self.state, event.data, now, admin=event.admin
                )
                return [Save(), answer]
            case ServerAuthenticationActivated():
                return self._authentication_activated(now)
            case SettingEntered():
                return self._setting_entered(event, now)
            case NotificationDismissed():
                return self._notification_dismissed(event)
            case PatchInstalled():
                return self._patch_installed(event, now)
            case FirmwareChanged():
                return self._firmware_changed(event, now)
            case BuiltInReplaced():
                self.state = _introduce(
                    replace(self.state, builtin=event.identity), now
                )
                return [Save(), Answer(True, "the built-in certificate was replaced")]
            case FactoryResetDone():
                return self._factory_reset(now)
            case AppEvent():
                self.state, commands = handle_app(self.state, event, now)
                return commands

    def faulted(
        self, event: Event, whole: PhoneState, kind: str, now: datetime
    ) -> list[Command]:
        """Go on after a fault of linekey's own: as if ``event`` had not come, but told.

        ``whole`` is the last state that was reached without it, ``kind`` the
        exception's type. A provisioning round that the event belongs to ends as failed
        and is tried again, as after any failure.
        """
        reason, hint = own_fault(kind)
        # Log lines that may be on disk already stay.
        log, count = self.state.log, self.state.log_count
        self.state = replace(whole, log=log, log_count=count)
        text = f"{_words(event)} was left undone: {reason}"
        self._log(now, "phone", text, level="error")
        commands: list[Command] = [Save()]
        rounds = (PoweredOn, ProvisioningWanted, DocumentFetched, FetchFailed)
        if isinstance(event, rounds):
            self._round = None
            self._failures += 1
            self.state = replace(self.state, status=Status.FAILED, status_reason=reason)
            commands += [*self._wake_up(False), RoundEnded()]
        return [*commands, Answer(False, text, hint)]

    # --- power and rounds

    def _powered_on(self, now: datetime) -> list[Command]:
        state = self.state
        row = state.profile
        state = replace(state, settings=state.settings.without_volatile())
        state = state.with_log(
            now,
            "phone",
            f"{row.name} powered on, MAC {state.mac}; speaks "
            f"{', '.join(row.version_labels)}, {len(row.suites)} suites",
            *row.warnings,
        )
        self.state = _introduce(state, now)
        return self._begin_round("power-on", now)

    def _provisioning_wanted(
        self, event: ProvisioningWanted, now: datetime
    ) -> list[Command]:
        if self._round is not None:
            self._log(now, "provisioning", "a round is going on already")
            return [Answer(True, "a provisioning round is going on already")]
        return [
            *self._begin_round(event.reason, now),
            Answer(True, "a provisioning round began"),
        ]

    def _begin_round(self, why: str, now: datetime) -> list[Command]:
        state = self.state
        server = state.setting_server
        if not server:
            self.state = replace(
                state, status=Status.IDLE, status_reason="no setting_server"
            ).with_log(
                now,
                Purpose.PROVISIONING,
                "the phone has no setting_server and asks nobody",
                level="warning",
            )
            return [Save(), RoundEnded()]
        self._rounds += 1
        round_ = Round(self._rounds)
        try:
            urls = settings_urls(server, state.profile.model.user_agent_name, state.mac)
        except InputError as error:
            self.state = replace(
                state, status=Status.FAILED, status_reason=error.message
            ).with_log(
                now,
                Purpose.PROVISIONING,
                f"setting_server cannot be used: {error.message}",
                level="error",
            )
            return [Save(), RoundEnded()]
        for url in urls:
            round_.add_document(url, 0)
        round_.own_url = urls[-1]
        self._round = round_
        self.state = replace(
            state, status=Status.PROVISIONING, status_reason=why, fetched=()
        ).with_log(now, Purpose.PROVISIONING, f"a provisioning round began: {why}")
        return self._next(now, [])

    def _next(self, now: datetime, before: list[Command]) -> list[Command]:
        round_ = self._round
        assert round_ is not None  # only called within a round
        self.state = replace(self.state, fetched=round_.shown())
        fetch = round_.next()
        if fetch is not None:
            return [*before, Save(), fetch]
        self._round = None
        status, reason = round_.outcome()
        good = status is Status.PROVISIONED
        self._failures = 0 if good else self._failures + 1
        self.state = replace(
            self.state,
            status=status,
            status_reason=reason,
            provisioned_at=now if good else self.state.provisioned_at,
        ).with_log(
            now,
            Purpose.PROVISIONING,
            f"the provisioning round ended: {status}: {reason}",
            level="info" if good else "error",
        )
        return [*before, Save(), *self._wake_up(good), RoundEnded()]

    def _wake_up(self, good: bool) -> list[Command]:
        if not good:
            spread = int(self.state.mac.digits[6:], 16) % 1000 / 1000
            return [WakeUp(retry_after_s(self._failures, spread), "retry")]
        text = self.state.settings.get(REFRESH_TIMER).strip()
        if text.isascii() and text.isdigit() and 0 < len(text) < 12 and int(text) > 0:
            seconds = min(max(int(text), _REFRESH_LEAST_S), _REFRESH_MOST_S)
            return [WakeUp(float(seconds), REFRESH_TIMER)]
        return []

    def _belongs(self, fetch: Fetch) -> Round | None:
        """The round an answer belongs to; None for one that is over."""
        round_ = self._round
        return round_ if round_ is not None and round_.waiting == fetch else None

    def _document_fetched(self, event: DocumentFetched, now: datetime) -> list[Command]:
        fetch = event.fetch
        round_ = self._belongs(fetch)
        if round_ is None:
            return []
        shown = redact_url(event.url or fetch.url)
        if event.status != 200:
            reason = _status_reason(event.status)
            said = read_http_refusal(event.status, event.body)
            if said is not None:
                quoted = f" (“{said.words}”)" if said.words else ""
                cure = said.refusal.cure
                if said.refusal is HttpRefusal.CERTIFICATE_REFUSED:
                    cure = (
                        cure_of_answer(self.state, event.url or fetch.url, now) or cure
                    )
                reason = f"{said.refusal.sentence}: {event.status}{quoted}; {cure}"
            if event.status in (401, 403) or said is not None:
                round_.refused = True
            self._log(now, Purpose.PROVISIONING, f"{shown}: {reason}", level="error")
            round_.results.append(
                FetchedDocument(fetch.url, event.status, False, reason)
            )
            return self._next(now, [])
        way = open_way(
            (fetch.url, event.url), authenticates=self.state.authenticates_servers
        )
        if fetch.kind == "certificate":
            if way:
                self._warn_of(("a certificate",), way, now)
            self.state = take_download(self.state, shown, event.body, now)
            return self._next(now, [])
        try:
            document = parse_document(event.body)
        except InputError as error:
            self._log(
                now,
                "settings",
                f"{shown} was refused: {error.message}; {error.hint}",
                level="error",
            )
            reason = f"{error.message}; {error.hint}"
            round_.results.append(FetchedDocument(fetch.url, 200, False, reason))
            return self._next(now, [])
        if way and (names := exposed_names(document)):
            self._warn_of(names, way, now)
        applied = apply_document(self.state, document, shown, now)
        self.state = applied.state
        round_.results.append(FetchedDocument(fetch.url, 200, True))
        base = event.url or fetch.url
        for text in applied.files:
            self._queue(
                text, base, now, lambda u: round_.add_document(u, fetch.depth + 1)
            )
        for text in applied.certificate_urls:
            self._queue(text, base, now, round_.add_certificate)
        return self._next(now, [ApplySettings()])

    def _warn_of(self, names: tuple[str, ...], way: str, now: datetime) -> None:
        text = exposure_warning(names, way)
        self._log(now, Purpose.PROVISIONING, text, level="warning")

    def _queue(
        self, text: str, base: str, now: datetime, add: Callable[[str], str]
    ) -> None:
        try:
            url = nested_url(text, base, self.state.mac)
            problem = add(url)
        except InputError as error:
            url, problem = text[:200], error.message
        if problem:
            self._log(
                now,
                Purpose.PROVISIONING,
                f"{redact_url(url)} is not fetched: {problem}",
                level="warning",
            )

    def _fetch_failed(self, event: FetchFailed, now: datetime) -> list[Command]:
        fetch = event.fetch
        round_ = self._belongs(fetch)
        if round_ is None:
            return []
        shown = redact_url(fetch.url)
        round_.refused |= event.refused
        self._log(now, Purpose.PROVISIONING, f"{shown}: {event.reason}", level="error")
        if fetch.kind == "document":
            round_.results.append(FetchedDocument(fetch.url, 0, False, event.reason))
        skip = self.state.settings.is_on("skip_provisioning_urls_on_tls_error")
        if event.refused and skip and (left := round_.give_up()):
            self._log(
                now,
                Purpose.PROVISIONING,
                f"{left} further URLs are skipped: skip_provisioning_urls_on_tls_error",
                level="warning",
            )
        return self._next(now, [])

    # --- what people do

    def _exception_added(self, event: ExceptionAdded, now: datetime) -> list[Command]:
        found = find_certificate(
            (u.certificate for u in self.state.trust.unknown), event.sha256
        )
        if isinstance(found, str):
            return [Answer(False, f"no exception was added: {found}")]
        intake = self.state.trust.add_exception(found, at=now)
        self.state = replace(
            self.state,
            trust=intake.store,
            notifications=tuple(
                n for n in self.state.notifications if n.sha256 != found.sha256
            ),
        )
        self._log(now, "certificates", intake.reason)
        return [Save(), Answer(intake.accepted, intake.reason)]

    def _authentication_activated(self, now: datetime) -> list[Command]:
        if self.state.authenticates_servers:
            return [Answer(True, "TLS server authentication is active already")]
        self.state = activate_authentication(self.state, now)
        if self.state.authenticates_servers:
            return [
                Save(),
                Answer(True, "TLS server authentication is active; only a factory "
                "reset clears it"),
            ]  # fmt: skip
        return [
            Save(),
            Answer(
                False,
                f"firmware {self.state.profile.firmware} cannot authenticate servers",
                "update to 8.2.30 or later",
            ),
        ]

    def _setting_entered(self, event: SettingEntered, now: datetime) -> list[Command]:
        if event.name.lower() == "tls_server_authentication":
            on = event.value.strip().lower() in ("on", "true", "1", "yes")
            if on:
                return self._authentication_activated(now)
            ok = not self.state.authenticates_servers
            text = "it is off" if ok else "TLS server authentication cannot be disabled"
            return [Answer(ok, text, "" if ok else "only a factory reset of 8.x can")]
        label = event.name if event.idx is None else f"{event.name}{event.idx}"
        before = self.state.identity
        change = self.state.settings.set_by_user(event.name, event.value, idx=event.idx)
        if not change.applied:
            text = f"{label} was not set: {change.reason}"
            self._log(now, "settings", text, level="warning")
            return [Save(), Answer(False, text)]
        state = replace(self.state, settings=change.settings)
        remarks = remarks_on(state, event.name.lower(), event.value)
        self.state = state.with_log(
            now,
            "settings",
            f"{label} was set on the phone",
            *remarks,
            level="warning" if remarks else "info",
        )
        self.state = note_identity(self.state, before.kind, now)
        remarks += [n for n in self.state.identity.notes if n not in before.notes]
        text = "; ".join([f"{label} was set", *remarks])
        return [Save(), ApplySettings(), Answer(True, text)]

    def _notification_dismissed(self, event: NotificationDismissed) -> list[Command]:
        kept = list(self.state.notifications)
        if not 0 <= event.index < len(kept):
            return [Answer(False, "there is no such notification")]
        del kept[event.index]
        self.state = replace(self.state, notifications=tuple(kept))
        return [Save(), Answer(True, "dismissed")]

    def _patch_installed(self, event: PatchInstalled, now: datetime) -> list[Command]:
        state = self.state
        try:
            patch = read_patch(event.data)
            problem = refusal(patch, state.mac, state.profile)
        except InputError as error:
            problem = error.message
        if problem:
            text = f"the patch was refused: {problem}"
            self._log(now, "certificates", text, level="error")
            return [Save(), Answer(False, text)]
        kind = state.identity.kind
        state = replace(state, patched=patch.identity).with_log(
            now,
            "certificates",
            f"the patch brought a SHA-2 certificate for {patch.mac}",
        )
        self.state = note_identity(state, kind, now)
        return [Save(), Answer(True, "the patch was installed")]

    def _firmware_changed(self, event: FirmwareChanged, now: datetime) -> list[Command]:
        from linekey.catalog.profile import profile

        before = self.state.profile
        if event.firmware == before.firmware:
            return [Answer(True, "the phone runs this firmware already")]
        row = profile(before.model, event.firmware)
        kind = self.state.identity.kind
        self.state = replace(self.state, profile=row).with_log(
            now, "phone", f"firmware {before.firmware} was replaced by {row.firmware}"
        )
        if self.state.roots is not None:
            # "At every new firmware upgrade" (SNOM-TLS, Adding Unknown Certificates).
            lists = lists_for(row.firmware)
            self.state = self.state.with_roots(lists, self.state.maker_authorities)
            self._log(now, "certificates", lists.sentence)
        self.state = note_identity(self.state, kind, now)
        return [Save(), Answer(True, f"the phone runs {row.firmware}")]

    def _factory_reset(self, now: datetime) -> list[Command]:
        state = self.state
        cut_off = [] if self._round is None else [RoundEnded()]
        self._round = None
        self._failures = 0
        self.state = replace(
            state,
            settings=PhoneSettings(),
            function_keys=(),
            sections={},
            trust=state.trust.factory_reset(),
            server_authentication=False,
            notifications=(),
            fetched=(),
            last_tls=None,
            provisioned_at=None,
            apps=Apps(),
            status=Status.OFF,
            status_reason="factory defaults",
        ).with_log(now, "phone", "the phone was reset to its factory defaults")
        return [
            Save(),
            ApplySettings(),
            *cut_off,
            Answer(True, "the phone has its factory defaults"),
        ]

    def _log(
        self, now: datetime, purpose: str, text: str, *, level: Level = "info"
    ) -> None:
        self.state = self.state.with_log(now, purpose, text, level=level)


def _introduce(state: PhoneState, now: datetime) -> PhoneState:
    """Say in the log which certificate the phone has, and what is odd about it."""
    choice = state.identity
    if choice.identity is None:
        return state.with_log(
            now, "certificates", "the phone has no certificate", level="warning"
        )
    leaf = choice.identity.leaf
    odd = list(choice.notes)
    row = state.profile
    if choice.kind == "built-in":
        if choice.identity.generation is not row.builtin_generation:
            odd.append(
                f"the {row.model.name} is made with a {row.builtin_generation.value} "
                f"certificate; this one is {choice.identity.signed_with}"
            )
        if not row.shared_certificate and choice.identity.mac != state.mac:
            odd.append(f"its CN is not this phone's MAC {state.mac}")
        if row.shared_certificate and choice.identity.mac is not None:
            odd.append(f"the {row.model.name} has a shared certificate without a MAC")
    return state.with_log(
        now,
        "certificates",
        f"the phone shows its {choice.kind} certificate: {leaf.label}, "
        f"{leaf.key.text}, {leaf.signature_algorithm}",
        *odd,
        level="warning" if odd else "info",
    )


def _words(event: Event) -> str:
    """An event's name as words: ``FormSubmitted`` is ``form submitted``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(event).__name__).lower()


def _status_reason(status: int) -> str:
    if status == 404:
        return "the server has no such document (404)"
    if status == 401:
        return "the server wants a user name and password (401)"
    if status == 403:
        return "the server refused the request (403)"
    return f"the server answered {status}"
