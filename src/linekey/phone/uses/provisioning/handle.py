"""Provisioning as a state machine (``state.STATUSES``): one round after the other.

A ``Save`` comes before anything that leaves the phone, so that a crash loses nothing
that was shown to the world.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from linekey.errors import InputError
from linekey.phone.apply import apply_document, take_download, take_own_words
from linekey.phone.defaults import REFRESH_TIMER
from linekey.phone.document import parse_document
from linekey.phone.events import (
    ApplySettings,
    Command,
    Faulted,
    PassOn,
    PoweredOn,
    Reply,
    Save,
    SendLater,
)
from linekey.phone.exposure import exposed_names, open_way
from linekey.phone.exposure import warning as exposure_warning
from linekey.phone.makers.files import (
    MAX_LOG,
    TRIES,
    files_of,
    in_order_of_weight,
    is_own,
    log_url,
    other_maker,
    read_file,
)
from linekey.phone.own_refusal import cure_of_answer
from linekey.phone.state import FetchedDocument, Level, PhoneState, Status
from linekey.phone.urls import nested_url, redact_url, settings_urls
from linekey.phone.uses import words
from linekey.phone.uses.provisioning.events import (
    DocumentFetched,
    Fetch,
    FetchFailed,
    LogAnswered,
    ProvisioningWanted,
    RoundEnded,
    SendLog,
)
from linekey.phone.uses.provisioning.round import Round, Rounds, retry_after_s
from linekey.phone.uses.use import Request, Result, Use, Verb
from linekey.trust.connection import Purpose
from linekey.trust.http_refusal import HttpRefusal, read_http_refusal

_REFRESH_LEAST_S: Final = 60
_REFRESH_MOST_S: Final = 366 * 86400
_OVER: Final = PassOn(RoundEnded())


def provisioning_wanted(
    state: PhoneState, event: ProvisioningWanted, now: datetime
) -> Result:
    """Fetch them again."""
    if state.part(Rounds).going_on is not None:
        state = state.with_log(now, "provisioning", "provisioning is already running")
        return state, [Reply(True, "provisioning is already running")]
    state, commands = _begin(state, event.reason[:200], now)
    return state, [*commands, Reply(True, "provisioning started")]


def faulted(state: PhoneState, event: Faulted, now: datetime) -> Result:
    """A round that the event belongs to ends as failed, and is tried again."""
    rounds = (PoweredOn, ProvisioningWanted, DocumentFetched, FetchFailed)
    if not isinstance(event.event, rounds):
        return state, []
    state = state.with_part(Rounds(None, state.part(Rounds).failures + 1))
    state = state.moved(Status.FAILED, event.reason)
    return state, [*_wake_up(state, good=False), _OVER]


def _begin(state: PhoneState, why: str, now: datetime) -> Result:
    log = Purpose.PROVISIONING
    server = state.setting_server
    if not server:
        text = "the phone has no setting_server, so it fetches nothing"
        state = state.moved(Status.IDLE, "no setting_server")
        return state.with_log(now, log, text, level="warning"), [Save(), _OVER]
    try:
        round_ = _first_files(state, server)
    except InputError as error:
        text = f"setting_server cannot be used: {error.message}"
        state = state.moved(Status.FAILED, error.message)
        return state.with_log(now, log, text, level="error"), [Save(), _OVER]
    state = replace(state.moved(Status.PROVISIONING, why), fetched=())
    state = state.with_log(now, log, f"provisioning started: {why}")
    logs = _log_for(state, "boot")
    return _next(state, round_, now, [Save(), *logs] if logs else [])


def _log_for(state: PhoneState, which: str) -> list[Command]:
    """What sends the phone's log, where its maker's phones do."""
    maker = other_maker(state.profile)
    try:
        url = log_url(maker, state.mac, state.setting_server, which)
    except InputError:
        return []
    lines = (f"{e.at:%Y-%m-%d %H:%M:%S} {e.purpose}: {e.text}" for e in state.log)
    return [SendLog(url, "\n".join(lines)[-MAX_LOG:] + "\n")] if url else []


def log_answered(state: PhoneState, event: LogAnswered, now: datetime) -> Result:
    """Say what became of a log."""
    name = redact_url(event.errand.url).rpartition("/")[2]
    if event.status in (200, 201, 204):
        text = f"the server took {name}"
    else:
        text = f"the server took no {name}: {event.reason or event.status}"
    return state.with_log(now, Purpose.PROVISIONING, text), [Save()]


def _first_files(state: PhoneState, server: str) -> Round:
    """A round with the files that the phone asks for by itself. Raises InputError."""
    number = state.log_count  # the log only grows, so no later round has this number
    maker = other_maker(state.profile)
    if maker is None:
        urls = settings_urls(server, state.profile.model.user_agent_name, state.mac)
        round_ = Round(number, own_url=urls[-1])
        for url in urls:
            round_, _ = round_.with_document(url, 0)
        return round_
    files = files_of(maker, state.profile, state.mac, server, state.settings)
    own = (url for url, _ in files if is_own(maker, url, state.mac))
    round_ = Round(number, own_url=next(own, ""))
    for url, ask in files:
        ends = frozenset(str(kind) for kind in ask.ends)
        tries = TRIES.get(maker.id, 1)
        fetch = Fetch(url, "document", number, 0, str(ask.kind), ends, tries)
        round_ = round_.with_file(fetch)
    return round_


def _next(
    state: PhoneState, round_: Round, now: datetime, before: list[Command]
) -> Result:
    """Fetch what is next; at the end, say what the round came to."""
    if not round_.documents and round_.held:
        state, round_ = _apply_held(state, round_, now)
        before = [*before, ApplySettings()]
    round_ = round_.next()
    rounds = state.part(Rounds)
    state = replace(state, fetched=round_.shown())
    if round_.waiting is not None:
        state = state.with_part(replace(rounds, going_on=round_))
        return state, [*before, Save(), round_.waiting]
    status, reason = round_.outcome()
    good = status is Status.PROVISIONED
    state = state.with_part(Rounds(None, 0 if good else rounds.failures + 1))
    since = now if good else state.provisioned_at
    state = replace(state.moved(status, reason), provisioned_at=since).with_log(
        now,
        Purpose.PROVISIONING,
        f"provisioning ended: {status}: {reason}",
        level="info" if good else "error",
    )
    logs = _log_for(state, "app")
    return state, [*before, Save(), *logs, *_wake_up(state, good), _OVER]


def _wake_up(state: PhoneState, good: bool) -> list[Command]:
    if not good:
        spread = int(state.mac.digits[6:], 16) % 1000 / 1000
        after_s = retry_after_s(state.part(Rounds).failures, spread)
        return [SendLater(after_s, ProvisioningWanted("retry"))]
    text = state.settings.get(REFRESH_TIMER).strip()
    if text.isascii() and text.isdigit() and 0 < len(text) < 12 and int(text) > 0:
        seconds = min(max(int(text), _REFRESH_LEAST_S), _REFRESH_MOST_S)
        return [SendLater(float(seconds), ProvisioningWanted(REFRESH_TIMER))]
    return []


def _belongs(state: PhoneState, fetch: Fetch) -> Round | None:
    """The round an answer belongs to; None for one that is over."""
    round_ = state.part(Rounds).going_on
    return round_ if round_ is not None and round_.waiting == fetch else None


def document_fetched(
    state: PhoneState, event: DocumentFetched, now: datetime
) -> Result:
    """Apply what came, and queue what it names."""
    fetch = event.fetch
    round_ = _belongs(state, fetch)
    if round_ is None:
        return state, []
    shown = redact_url(event.url or fetch.url)
    if event.status != 200:
        return _refused(state, round_, event, shown, now)
    way = open_way((fetch.url, event.url), authenticates=state.authenticates_servers)
    if fetch.kind == "certificate":
        if way:
            state = _warn_of(state, ("a certificate",), way, now)
        state = take_download(state, shown, event.body, now)
        return _next(state, round_, now, [])
    maker = other_maker(state.profile)
    try:
        document = (
            parse_document(event.body)
            if maker is None
            else read_file(maker, event.url or fetch.url, event.body, state.mac)
        )
    except InputError as error:
        reason = f"{error.message}; {error.hint}"
        text = f"{shown} was refused: {reason}"
        state = state.with_log(now, "settings", text, level="error")
        failed = FetchedDocument(fetch.url, 200, False, reason)
        return _next(state, round_.with_result(failed), now, [])
    if way and (names := exposed_names(document)):
        state = _warn_of(state, names, way, now)
    round_ = round_.with_result(FetchedDocument(fetch.url, 200, True))
    base = event.url or fetch.url
    if maker is not None:
        if is_own(maker, fetch.url, state.mac):
            round_ = replace(round_, own_url=fetch.url)
        round_ = round_.without(fetch.ends).holding(base, document)
        rest = round_.documents
        state, round_ = _queue(state, round_, document.files, (), base, fetch, now)
        named = round_.documents[len(rest) :]
        return _next(state, replace(round_, documents=(*named, *rest)), now, [])
    applied = apply_document(state, document, shown, now)
    state, round_ = _queue(
        applied.state,
        round_,
        applied.files,
        applied.certificate_urls,
        base,
        fetch,
        now,
    )
    return _next(state, round_, now, [ApplySettings()])


def _apply_held(
    state: PhoneState, round_: Round, now: datetime
) -> tuple[PhoneState, Round]:
    """Apply what another maker's phone fetched, now that all of it is in."""
    maker = other_maker(state.profile)
    assert maker is not None, "only such a phone holds anything"
    held, round_ = round_.held, replace(round_, held=())
    for url, document in in_order_of_weight(maker, held):
        applied = apply_document(state, document, redact_url(url), now)
        fetch = Fetch(url, "document", round_.number)
        urls = applied.certificate_urls
        state, round_ = _queue(applied.state, round_, (), urls, url, fetch, now)
    return take_own_words(state, now), round_


def _queue(
    state: PhoneState,
    round_: Round,
    files: Sequence[str],
    certificates: Sequence[str],
    base: str,
    fetch: Fetch,
    now: datetime,
) -> tuple[PhoneState, Round]:
    """Queue what a document names, and say what is not fetched."""
    named = [(text, "document") for text in files]
    named += [(text, "certificate") for text in certificates]
    for text, kind in named:
        try:
            url = nested_url(text, base, state.mac)
        except InputError as error:
            url, problem = text[:200], error.message
        else:
            round_, problem = (
                round_.with_document(url, fetch.depth + 1)
                if kind == "document"
                else round_.with_certificate(url)
            )
        if problem:
            told = f"{redact_url(url)} is not fetched: {problem}"
            state = state.with_log(now, Purpose.PROVISIONING, told, level="warning")
    return state, round_


def _refused(
    state: PhoneState, round_: Round, event: DocumentFetched, shown: str, now: datetime
) -> Result:
    """An answer whose status says that it is no document."""
    fetch = event.fetch
    if event.status == 404 and fetch.tries > 1:
        return _next(state, round_.again(fetch), now, [])
    reason = _status_reason(event.status, event.unknown_login)
    said = read_http_refusal(event.status, event.body)
    if said is not None:
        quoted = f" (“{said.words}”)" if said.words else ""
        cure = said.refusal.cure
        if said.refusal is HttpRefusal.CERTIFICATE_REFUSED:
            cure = cure_of_answer(state, event.url or event.fetch.url, now) or cure
        reason = f"{said.refusal.sentence}: {event.status}{quoted}; {cure}"
    if event.status in (401, 403) or said is not None:
        round_ = replace(round_, refused=True)
    text = f"{shown}: {reason}"
    # Another maker's phone asks for files that need not be there.
    level: Level = "info" if event.status == 404 and fetch.part else "error"
    state = state.with_log(now, Purpose.PROVISIONING, text, level=level)
    failed = FetchedDocument(event.fetch.url, event.status, False, reason)
    return _next(state, round_.with_result(failed), now, [])


def _warn_of(
    state: PhoneState, names: tuple[str, ...], way: str, now: datetime
) -> PhoneState:
    text = exposure_warning(names, way)
    return state.with_log(now, Purpose.PROVISIONING, text, level="warning")


def fetch_failed(state: PhoneState, event: FetchFailed, now: datetime) -> Result:
    """No answer; where a certificate was refused, a setting may end the round."""
    fetch = event.fetch
    round_ = _belongs(state, fetch)
    if round_ is None:
        return state, []
    round_ = replace(round_, refused=round_.refused or event.refused)
    text = f"{redact_url(fetch.url)}: {event.reason}"
    state = state.with_log(now, Purpose.PROVISIONING, text, level="error")
    if fetch.kind == "document":
        round_ = round_.with_result(FetchedDocument(fetch.url, 0, False, event.reason))
    skip = state.settings.is_on("skip_provisioning_urls_on_tls_error")
    if event.refused and skip and (left := round_.left):
        round_ = replace(round_, documents=(), certificates=())
        text = f"{left} further URLs are skipped: skip_provisioning_urls_on_tls_error"
        state = state.with_log(now, Purpose.PROVISIONING, text, level="warning")
    return _next(state, round_, now, [])


def _status_reason(status: int, unknown_login: str) -> str:
    if status == 404:
        return "the server has no such document (404)"
    if status == 401 and unknown_login:
        return (
            f"the server asks for an authentication this phone does not know (401): "
            f"{unknown_login}; phones know basic and digest"
        )
    if status == 401:
        return "the server wants a user name and password (401)"
    if status == 403:
        return "the server refused the request (403)"
    return f"the server answered {status}"


PROVISIONING = Use(
    name="provisioning",
    takes={
        PoweredOn: lambda state, event, now: _begin(state, "power-on", now),
        ProvisioningWanted: provisioning_wanted,
        DocumentFetched: document_fetched,
        FetchFailed: fetch_failed,
        LogAnswered: log_answered,
        Faulted: faulted,
    },
    errands=(Fetch, SendLog),
    requests=(Request("provision", ProvisioningWanted),),
    verbs=(Verb(words.PROVISION, lambda: ProvisioningWanted("asked for")),),
)
