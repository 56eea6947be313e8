"""What is done to the phone itself, whatever it uses TLS for.

Power, buttons, certificates, connections judged, settings typed in.
"""

from dataclasses import replace
from datetime import datetime

from linekey.catalog.profile import STAND_IN, profile
from linekey.catalog.root_lists import lists_of
from linekey.errors import InputError
from linekey.phone.apply import activate_authentication, note_identity, remarks_on
from linekey.phone.display import describe_display, with_message
from linekey.phone.events import (
    ApplySettings,
    BuiltInReplaced,
    CertificateRemoved,
    CertificateUploaded,
    ConnectionReported,
    ExceptionAdded,
    FactoryResetDone,
    FirmwareChanged,
    MessageRead,
    NotificationDismissed,
    PatchInstalled,
    PoweredOn,
    Reply,
    Save,
    ServerAuthenticationActivated,
    SettingEntered,
)
from linekey.phone.patch import read_patch, refusal
from linekey.phone.settings import PhoneSettings
from linekey.phone.state import PhoneState, Status
from linekey.phone.tabs import find_certificate, remove, upload
from linekey.phone.tls_log import note_connection
from linekey.phone.typed import check_idx
from linekey.phone.uses import words
from linekey.phone.uses.use import (
    Button,
    Request,
    Result,
    Use,
    Verb,
    number_in,
)


def _powered_on(state: PhoneState, event: PoweredOn, now: datetime) -> Result:
    row = state.profile
    state = replace(state, settings=state.settings.without_volatile())
    state = state.moved(Status.OFF, "power-on").with_log(
        now,
        "phone",
        f"{row.name} powered on, MAC {state.mac}; supports "
        f"{', '.join(row.version_labels)}, {len(row.suites)} suites",
        *row.warnings,
        *((STAND_IN.how,) if row.is_unknown else ()),
    )
    return _introduce(state, now), []


def _exception_added(state: PhoneState, event: ExceptionAdded, now: datetime) -> Result:
    found = find_certificate((u.certificate for u in state.trust.unknown), event.sha256)
    if isinstance(found, str):
        return state, [Reply(False, f"no exception was added: {found}")]
    intake = state.trust.add_exception(found, at=now)
    state = replace(
        state,
        trust=intake.store,
        notifications=tuple(n for n in state.notifications if n.sha256 != found.sha256),
    )
    state = state.with_log(now, "certificates", intake.reason)
    return state, [Save(), Reply(intake.accepted, intake.reason)]


def _authentication_activated(
    state: PhoneState, event: ServerAuthenticationActivated | None, now: datetime
) -> Result:
    if state.authenticates_servers:
        return state, [Reply(True, "TLS server authentication is already active")]
    if state.profile.switches_are_settings:
        entered = SettingEntered("tls_server_authentication", "on")
        return _setting_entered(state, entered, now)
    state = activate_authentication(state, now)
    if state.authenticates_servers:
        return state, [
            Save(),
            Reply(True, "TLS server authentication is active; only a factory "
            "reset clears it"),
        ]  # fmt: skip
    return state, [
        Save(),
        Reply(
            False,
            f"firmware {state.profile.firmware} cannot authenticate servers",
            "update to 8.2.30 or later",
        ),
    ]


def _setting_entered(state: PhoneState, event: SettingEntered, now: datetime) -> Result:
    switch = not state.profile.switches_are_settings
    if switch and event.name.lower() == "tls_server_authentication":
        on = event.value.strip().lower() in ("on", "true", "1", "yes")
        if on:
            return _authentication_activated(state, None, now)
        ok = not state.authenticates_servers
        text = "it is off" if ok else "TLS server authentication cannot be disabled"
        return state, [Reply(ok, text, "" if ok else "only a factory reset of 8.x can")]
    label = event.name if event.idx is None else f"{event.name}{event.idx}"
    before = state.identity
    change = state.settings.set_by_user(event.name, event.value, idx=event.idx)
    if not change.applied:
        text = f"{label} was not set: {change.reason}"
        state = state.with_log(now, "settings", text, level="warning")
        return state, [Save(), Reply(False, text)]
    state = replace(state, settings=change.settings)
    remarks = remarks_on(state, event.name.lower(), event.value)
    state = state.with_log(
        now,
        "settings",
        f"{label} was set on the phone",
        *remarks,
        level="warning" if remarks else "info",
    )
    state = note_identity(state, before.kind, now)
    remarks += [n for n in state.identity.notes if n not in before.notes]
    text = "; ".join([f"{label} was set", *remarks])
    return state, [Save(), ApplySettings(), Reply(True, text)]


def _notification_dismissed(
    state: PhoneState, event: NotificationDismissed, now: datetime
) -> Result:
    kept = list(state.notifications)
    if not 0 <= event.index < len(kept):
        return state, [Reply(False, "there is no such notification")]
    del kept[event.index]
    state = replace(state, notifications=tuple(kept))
    return state, [Save(), Reply(True, "dismissed")]


def _patch_installed(state: PhoneState, event: PatchInstalled, now: datetime) -> Result:
    try:
        patch = read_patch(event.data)
        problem = refusal(patch, state.mac, state.profile)
    except InputError as error:
        problem = error.message
    if problem:
        text = f"the patch was refused: {problem}"
        state = state.with_log(now, "certificates", text, level="error")
        return state, [Save(), Reply(False, text)]
    kind = state.identity.kind
    state = replace(state, patched=patch.identity).with_log(
        now,
        "certificates",
        f"the patch brought a SHA-2 certificate for {patch.mac}",
    )
    state = note_identity(state, kind, now)
    return state, [Save(), Reply(True, "the patch was installed")]


def _firmware_changed(
    state: PhoneState, event: FirmwareChanged, now: datetime
) -> Result:
    before = state.profile
    if event.firmware == before.firmware:
        return state, [Reply(True, "the phone runs this firmware already")]
    row = profile(before.model, event.firmware)
    kind = state.identity.kind
    state = replace(state, profile=row).with_log(
        now, "phone", f"firmware {before.firmware} was replaced by {row.firmware}"
    )
    if state.roots is not None:
        # "At every new firmware upgrade" (SNOM-TLS, Adding Unknown Certificates).
        lists = lists_of(row.model, row.firmware)
        state = state.with_roots(lists, state.maker_authorities)
        state = state.with_log(now, "certificates", lists.sentence)
    state = note_identity(state, kind, now)
    return state, [Save(), Reply(True, f"the phone runs {row.firmware}")]


def _factory_reset_done(
    state: PhoneState, event: FactoryResetDone, now: datetime
) -> Result:
    state = replace(
        state.moved(Status.OFF, "factory defaults"),
        settings=PhoneSettings(),
        function_keys=(),
        sections={},
        trust=state.trust.factory_reset(),
        server_authentication=False,
        notifications=(),
        fetched=(),
        last_tls=None,
        provisioned_at=None,
        parts={},
    ).with_log(now, "phone", "the phone was reset to its factory defaults")
    return state, [
        Save(),
        ApplySettings(),
        Reply(True, "the phone has its factory defaults"),
    ]


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
        built_in = row.builtin_generation
        if built_in is not None and choice.identity.generation is not built_in:
            odd.append(
                f"the {row.model.name} is made with a {built_in.value} "
                f"certificate; this one is {choice.identity.signed_with}"
            )
        if not row.shared_certificate and choice.identity.mac != state.mac:
            odd.append(f"its CN is not this phone's MAC {state.mac}")
        if row.shared_certificate and choice.identity.mac is not None:
            odd.append(f"the {row.model.name} has a shared certificate without a MAC")
    return state.with_log(
        now,
        "certificates",
        f"the phone uses its {choice.kind} certificate: {leaf.label}, "
        f"{leaf.key.text}, {leaf.signature_algorithm}",
        *odd,
        level="warning" if odd else "info",
    )


def _with_fitting_idx(event: SettingEntered) -> SettingEntered:
    if event.idx is not None:
        check_idx(event.name, event.idx)
    return event


DEVICE = Use(
    name="",
    takes={
        PoweredOn: _powered_on,
        ConnectionReported: lambda state, event, now: (
            note_connection(state, event.report, now),
            [Save()],
        ),
        ExceptionAdded: _exception_added,
        CertificateRemoved: remove,
        CertificateUploaded: upload,
        ServerAuthenticationActivated: _authentication_activated,
        SettingEntered: _setting_entered,
        NotificationDismissed: _notification_dismissed,
        MessageRead: lambda state, event, now: (
            with_message(state, None),
            [Reply(True, "read")],
        ),
        PatchInstalled: _patch_installed,
        FirmwareChanged: _firmware_changed,
        BuiltInReplaced: lambda state, event, now: (
            _introduce(replace(state, builtin=event.identity), now),
            [Save(), Reply(True, "the built-in certificate was replaced")],
        ),
        FactoryResetDone: _factory_reset_done,
    },
    requests=(
        Request("exception", ExceptionAdded),
        Request("remove", CertificateRemoved),
        Request("upload", CertificateUploaded),
        Request("patch", PatchInstalled),
        Request("activate", ServerAuthenticationActivated),
        Request("set", SettingEntered, _with_fitting_idx),
        Request("dismiss", NotificationDismissed),
        Request("read-message", MessageRead),
        Request("factory-reset", FactoryResetDone),
    ),
    verbs=(
        Verb(words.PATCH, lambda file: PatchInstalled(file)),
        Verb(words.EXCEPTION, lambda sha256: ExceptionAdded(sha256)),
        Verb(words.REMOVE, lambda sha256: CertificateRemoved(sha256)),
        Verb(words.ACTIVATE, ServerAuthenticationActivated),
    ),
    buttons=(
        Button(
            "dismiss",
            lambda form, _: NotificationDismissed(number_in(form, "index")),
            told=True,
        ),
        Button("message", lambda *_: MessageRead()),
    ),
    describe=describe_display,
)
"""The phone itself, in the form of a use; it comes before all of them."""
