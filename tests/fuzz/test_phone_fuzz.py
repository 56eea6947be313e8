"""Any XML, any certificate, any server: it works, or it is the one documented error."""

import asyncio
import contextlib
import json
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.certificates import MAC, NOW, authority, device, self_signed, server

from linekey.certs.pem import to_base64, to_pem
from linekey.errors import InputError
from linekey.phone.document import FunctionKey, parse_document
from linekey.phone.edge import http
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.events import (
    Answer,
    CertificateRemoved,
    CertificateUploaded,
    ConnectionReported,
    ExceptionAdded,
    PatchInstalled,
    PoweredOn,
    SettingEntered,
)
from linekey.phone.identity import parse_identity
from linekey.phone.machine import Machine
from linekey.phone.patch import make_patch, read_patch
from linekey.phone.requests import parse_request
from linekey.phone.state import PhoneState, new_phone
from linekey.phone.uses.actions.events import ActionHappened, KeyPressed, SoftKeyPressed
from linekey.phone.uses.browser.events import (
    FormSubmitted,
    OpenPage,
    PageFailed,
    PageFetched,
)
from linekey.phone.uses.directory.events import LookupWanted
from linekey.phone.uses.provisioning.events import (
    DocumentFetched,
    Fetch,
    FetchFailed,
    ProvisioningWanted,
)
from linekey.tls.context import Identity, server_context
from linekey.tls.engine import ServerEngine
from linekey.tls.policy import INTERIM, LEGACY, MODERN
from linekey.tls.pump import Limits
from linekey.trust.connection import ConnectionReport, Purpose
from linekey.wire.dialer import DialError, Stream

CALM = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
FULL = f"""<settings><phone-settings><a idx="1" perm="RW">x</a></phone-settings>
<functionKeys><fkey idx="1" label="l">url https://h/</fkey></functionKeys><tbook/>
<certificates><certificate url="http://h/c"/><certificate type="base64">{to_base64(self_signed())}</certificate></certificates>
<setting-files><file url="https://h/x"/></setting-files></settings>""".encode()


def phone() -> PhoneState:
    return new_phone(
        MAC, "D715", "8.9.3.60", setting_server="https://h/", builtin=device(MAC, "sha1"),
        authorities=(authority().certificate,),
    )  # fmt: skip


def mutate(data: bytes, seed: int, times: int) -> bytes:
    """Flip, drop, double and insert bytes; the same for the same seed."""
    chance = random.Random(seed)
    out = bytearray(data)
    for _ in range(times):
        at = chance.randrange(len(out) + 1)
        match chance.randrange(4):
            case 0 if at < len(out):
                out[at] ^= 1 << chance.randrange(8)
            case 1:
                del out[at : at + chance.randrange(1, 20)]
            case 2:
                out[at:at] = out[at : at + chance.randrange(1, 20)]
            case _:
                out[at:at] = chance.randbytes(chance.randrange(1, 8))
    return bytes(out)


SECRETS = [
    line[at : at + 12]
    for identity in (device(MAC), server())
    for line in identity.key_pem.decode().splitlines()[1:-1]
    for at in range(0, len(line) - 12, 4)
]


def shows_key(text: str) -> bool:
    """Whether any twelve characters of a private key are in a text."""
    return any(secret in text for secret in SECRETS)


names = st.sampled_from(
    ["settings", "phone-settings", "functionKeys", "fkey", "certificates", "certificate", "setting-files", "file",
     "a", "setting_server", "tls_server_authentication", "webservice_cert", "phone_cert_type", "user_pass",
     "host_name_validation_flags", "settings_refresh_timer", "tbook", "html"]
)  # fmt: skip
texts = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="<>&\"'", min_codepoint=32), max_size=30),
    st.sampled_from(["on", "off", "line", "url https://h/", "99999999999999999999", to_base64(self_signed()), "{mac}", "http://[", "//", "../../x"]),
)  # fmt: skip
attributes = st.dictionaries(
    st.sampled_from(["url", "idx", "perm", "type", "label", "context"]),
    texts,
    max_size=3,
)


def element(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda name, given, inner: f"<{name}" + "".join(f' {k}="{v}"' for k, v in given.items()) + f">{''.join(inner)}</{name}>",
        names, attributes, st.lists(children, max_size=4),
    )  # fmt: skip


documents = st.one_of(
    st.binary(max_size=400),
    st.recursive(texts, element, max_leaves=20).map(
        lambda s: f"<settings>{s}</settings>".encode()
    ),
    st.builds(mutate, st.just(FULL), st.integers(0, 2**32), st.integers(0, 20)),
)


@CALM
@given(documents)
@example(FULL)
@example(b"<!DOCTYPE a [<!ENTITY x 'y'>]><settings>&x;</settings>")
def test_any_document_is_read_or_is_the_documented_error(data: bytes) -> None:
    with contextlib.suppress(InputError):
        parse_document(data)


@CALM
@given(
    st.lists(
        st.tuples(documents, st.sampled_from([200, 200, 200, 404, 403, 500, 0])),
        max_size=6,
    )
)
def test_a_phone_fed_with_any_documents_keeps_running_and_keeps_its_state(
    answers: list[tuple[bytes, int]],
) -> None:
    machine = Machine(phone())
    commands = machine.handle(PoweredOn(), NOW)
    for data, status in answers:
        fetches = [c for c in commands if isinstance(c, Fetch)]
        if not fetches:
            commands = machine.handle(PoweredOn(), NOW)
            fetches = [c for c in commands if isinstance(c, Fetch)]
        if not fetches:
            break  # a document took its setting_server away
        event = (
            DocumentFetched(fetches[-1], status, data, fetches[-1].url)
            if status
            else FetchFailed(fetches[-1], "gone")
        )
        commands = machine.handle(event, NOW)
    again = PhoneState.from_dict(
        json.loads(json.dumps(machine.state.as_dict())), builtin=machine.state.builtin
    )
    assert again.settings == machine.state.settings
    assert again.trust.server_certificates == machine.state.trust.server_certificates
    assert again.identity.kind == machine.state.identity.kind


DERS = [
    self_signed().der,
    authority().certificate.der,
    device().leaf.der,
    server().leaf.der,
]
certificates = st.one_of(
    st.binary(max_size=300),
    st.builds(mutate, st.sampled_from(DERS), st.integers(0, 2**32), st.integers(0, 12)),
    st.builds(
        mutate,
        st.sampled_from([to_pem(self_signed()).encode(), server().to_pem()]),
        st.integers(0, 2**32),
        st.integers(0, 12),
    ),
)


@CALM
@given(certificates, st.booleans())
def test_any_upload_is_answered_with_a_reason(data: bytes, admin: bool) -> None:
    machine = Machine(phone())
    answer = machine.handle(CertificateUploaded(data, admin), NOW)[-1]
    assert isinstance(answer, Answer)
    assert answer.text
    assert not shows_key(answer.text)
    assert machine.state.log[-1].purpose == "certificates"
    machine.handle(ExceptionAdded(data.hex()), NOW)
    for name in ("webservice_cert", "phone_cert_type", "host_name_validation_flags"):
        machine.handle(SettingEntered(name, data.decode("latin-1")), NOW)
    assert machine.state.identity.identity is not None


PATCH = make_patch(MAC, device(MAC))


@CALM
@given(
    st.one_of(
        st.binary(max_size=200),
        st.builds(mutate, st.just(PATCH), st.integers(0, 2**32), st.integers(1, 6)),
    )
)
def test_any_patch_is_taken_whole_or_refused(data: bytes) -> None:
    machine = Machine(phone())
    answer = machine.handle(PatchInstalled(data), NOW)[-1]
    assert isinstance(answer, Answer)
    if answer.ok:  # white space of the JSON may change, nothing else
        assert read_patch(data).identity.chain == device(MAC).chain
    for reader in (read_patch, parse_identity):
        said = ""
        try:
            reader(data)
        except InputError as error:
            said = error.message
        assert not shows_key(said)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text(max_size=5), c, max_size=3), max_leaves=6
)  # fmt: skip


@CALM
@given(
    json_values
    | st.dictionaries(
        st.sampled_from(
            ["do", "data", "sha256", "name", "value", "idx", "index", "reason", "admin"]
        ),
        json_values
        | st.sampled_from(
            ["set", "upload", "exception", "dismiss", "remove", "patch", "provision"]
        ),
    )
)
def test_any_request_is_an_event_or_the_documented_error(document: object) -> None:
    try:
        event = parse_request(document)
    except InputError:
        return
    Machine(phone()).handle(event, NOW)


ANY_TEXT = st.text(st.characters(), max_size=20) | st.sampled_from(["\udcff", "\x00"])
FORM = b"""<SnomIPPhoneInput><URL>https://h/x</URL><InputItem><QueryStringParam>c</QueryStringParam>
<InputFlags>p</InputFlags></InputItem></SnomIPPhoneInput>"""


@CALM
@given(ANY_TEXT, ANY_TEXT)
@example("\udcff", "\udcff")
@example("9" * 5000, "a\x00b")
def test_whatever_text_an_event_brings_the_machine_takes_it(a: str, b: str) -> None:
    state = phone()
    for name, value in {
        "ldap_server": "localhost",
        "action_incoming_url": f"https://h/$remote{a}",
    }.items():
        state = replace(state, settings=state.settings.provision(name, value).settings)
    machine = Machine(
        replace(state, function_keys=(FunctionKey(0, "url", "https://h/p"),))
    )
    (opened,) = [
        c for c in machine.handle(KeyPressed(0), NOW) if isinstance(c, OpenPage)
    ]
    machine.handle(PageFetched(opened, 200, opened.url, FORM), NOW)
    for event in (
        FormSubmitted((a,)), SoftKeyPressed(a), LookupWanted(a), SettingEntered(a, b), SettingEntered("language", a),
        ActionHappened("incoming", {"remote": a, "display_remote": b}), ActionHappened(a), PageFailed(opened, b, a),
        ProvisioningWanted(a), ExceptionAdded(a), CertificateRemoved(a),
    ):  # fmt: skip
        machine.handle(event, NOW)
    json.dumps(machine.state.settings.as_list(), ensure_ascii=False).encode()


# --- servers


class Pipe:
    """A writer whose bytes go through ``answer`` into a reader; no socket."""

    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        self.reader = asyncio.StreamReader()
        self._answer = answer
        self._over = False

    def write(self, data: bytes) -> None:
        back = None if self._over else self._answer(bytes(data))
        if self._over:
            return
        if back is None:
            self.close()
        elif back:
            self.reader.feed_data(back)

    async def drain(self) -> None:
        await asyncio.sleep(0)

    def close(self) -> None:
        if not self._over:
            self._over = True
            self.reader.feed_eof()

    async def wait_closed(self) -> None:
        return


def fetch(
    answer: Callable[[bytes], bytes | None], *, encrypted: bool
) -> tuple[str, list[ConnectionReport]]:
    """GET something through a pipe, as a phone; what came of it."""
    reports: list[ConnectionReport] = []

    async def main() -> str:
        running = VirtualPhone(phone(), clock=NOW)

        async def dial(purpose: Purpose, host: str, port: int, tls: bool) -> Stream:
            pipe = Pipe(answer)
            stream = Stream(purpose, f"{host}:{port}", pipe.reader, pipe)  # type: ignore[arg-type]
            if tls:
                await stream.start(running.offer(), host, Limits(5.0))
            return stream

        scheme = "https" if encrypted else "http"
        try:
            got = await http.get(
                f"{scheme}://127.0.0.1/x", purpose=Purpose.PROVISIONING, dial=dial, user_agent="ua",
                ended=reports.append, time_limit_s=0.05, max_bytes=100_000,
            )  # fmt: skip
        except (http.HttpError, DialError) as error:
            return error.message
        return str(got.status)

    text = asyncio.run(main())
    machine = Machine(phone())
    for report in reports:
        machine.handle(ConnectionReported(report), NOW)
    return text, reports


HTTP = b"HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
)
AWAY = (
    b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/y\r\ncontent-length: 0\r\n\r\n"
)
DENIED = b'HTTP/1.1 401 No\r\nwww-authenticate: Digest realm="a", nonce="b"\r\ncontent-length: 0\r\n\r\n'
answers = st.one_of(
    st.binary(max_size=200),
    st.builds(
        mutate,
        st.sampled_from([HTTP, CHUNKED, AWAY, DENIED]),
        st.integers(0, 2**32),
        st.integers(0, 8),
    ),
)


@settings(CALM, max_examples=200)
@given(answers)
@example(HTTP)
def test_any_http_answer_is_an_answer_or_the_documented_error(data: bytes) -> None:
    text, reports = fetch(lambda _: data or None, encrypted=False)
    assert text
    assert reports


IDENTITIES = {p.name: server("127.0.0.1") for p in (MODERN, INTERIM, LEGACY)}
CONTEXTS = {
    p.name: server_context(
        Identity(IDENTITIES[p.name].chain, IDENTITIES[p.name].key), p, verify=None
    )
    for p in (MODERN, INTERIM, LEGACY)
}


@settings(CALM, max_examples=150)
@given(
    st.sampled_from(sorted(CONTEXTS)),
    st.integers(0, 2**32),
    st.integers(0, 4),
    st.integers(0, 2),
)
@example("modern", 0, 0, 0)
def test_any_server_flight_is_a_handshake_or_the_documented_error(
    policy: str, seed: int, times: int, which: int
) -> None:
    engine = ServerEngine(CONTEXTS[policy])
    flight = 0

    def answer(data: bytes) -> bytes | None:
        nonlocal flight
        for event in engine.receive(data):
            if type(event).__name__ == "DataReceived":
                engine.send(HTTP)
                engine.close()
        out = engine.take_output()
        if out:
            flight += 1
            if flight == which + 1:
                out = mutate(out, seed, times)
        return out if out or not engine.ended else None

    text, reports = fetch(answer, encrypted=True)
    assert text
    if times == 0 and policy == "modern" and "within" not in text:
        assert text == "200"
        assert reports[0].completed


@settings(CALM, max_examples=150)
@given(st.binary(max_size=300))
@example(b"\x16\x03\x03\xff\xff" + bytes(70_000))
@example(b"\x15\x03\x01\x00\x02\x02\x28")
@example(b"HTTP/1.1 400 Bad Request\r\n\r\n")
def test_any_bytes_in_place_of_tls_are_the_documented_error(data: bytes) -> None:
    sent = False

    def answer(_: bytes) -> bytes | None:
        nonlocal sent
        if sent:
            return None
        sent = True
        return data or None

    text, _ = fetch(answer, encrypted=True)
    assert text != "200"


@pytest.mark.parametrize("name", ["modern", "interim", "legacy"])
def test_the_policies_have_the_names_that_the_fuzz_uses(name: str) -> None:
    assert name in CONTEXTS
