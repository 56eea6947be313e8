import itertools
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sipmessage import Message, Request, Response

from linekey.digest import hash_hex, parse_digest
from linekey.mac import Mac
from linekey.phone.uses.sip.account import Outbound, SipAccount
from linekey.phone.uses.sip.messages import instance_urn
from linekey.phone.uses.sip.registration import (
    FURTHER_TRIES,
    CallArrived,
    Connect,
    HangUp,
    LineChanged,
    Registration,
    ResyncRequested,
    Send,
)
from linekey.phone.uses.sip.states import LineState
from linekey.phone.uses.sip.stream import PING, PONG, Ping, Pong

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ACCOUNT = SipAccount(
    index=1, user="100", registrar="pbx.example", host="sip.example", port=5061, tls=True,
    password="s3cret", auth_user="100",
)  # fmt: skip


def registration(account: SipAccount = ACCOUNT) -> Registration:
    numbers = itertools.count(1)
    return Registration(
        account,
        "linekey-test",
        instance="urn:uuid:00000000-0000-1000-8000-000413aabbcc",
        token=lambda: f"tok{next(numbers):08d}",
        jitter=lambda: 1.0,
    )


def begun() -> tuple[Registration, Request]:
    line = registration()
    assert line.started(NOW)[-1] == Connect("sip.example", 5061, True)
    return line, sent(line.connected("192.0.2.7", 40000, NOW))


def sent(actions: list) -> Request | Response:
    (data,) = (a.data for a in actions if isinstance(a, Send))
    return Message.parse(data)


def states(actions: list) -> list[LineState]:
    return [a.state for a in actions if isinstance(a, LineChanged)]


def reply(request: Request, code: int, **headers: str) -> Response:
    response = Response(code, "Phrase")
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        response.headers.set(name, request.headers[name])
    for name, value in headers.items():
        response.headers.set(name.replace("_", "-"), value)
    return response


def registered(expires: str = "600", **headers: str) -> Registration:
    line, request = begun()
    answer = reply(request, 200, Expires=expires, **headers)
    assert states(line.received(answer, NOW)) == ["registered"]
    return line


def test_the_first_register_is_as_rfc_3261_wants_it() -> None:
    _, request = begun()
    assert (request.method, str(request.uri)) == ("REGISTER", "sip:pbx.example")
    assert request.headers["Via"].startswith(
        "SIP/2.0/TLS 192.0.2.7:40000;branch=z9hG4bK"
    )
    assert request.headers["From"].startswith("<sip:100@pbx.example>;tag=")
    assert request.headers["To"] == "<sip:100@pbx.example>"
    assert ";transport=tls" in request.headers["Contact"]
    assert (request.expires, request.max_forwards, request.content_length) == (
        3600,
        70,
        0,
    )


@pytest.mark.parametrize(
    ("code", "asks", "answers"),
    [
        (401, "WWW-Authenticate", "Authorization"),
        (407, "Proxy-Authenticate", "Proxy-Authorization"),
    ],
)
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_a_challenge_is_answered(code, asks, answers, algorithm) -> None:
    line, request = begun()
    challenge = f'Digest realm="r, x", nonce="n1", qop="auth", algorithm={algorithm}'
    second = sent(line.received(reply(request, code, **{asks: challenge}), NOW))
    proof = parse_digest(second.headers[answers])
    ha1 = hash_hex(algorithm, "100:r, x:s3cret")
    ha2 = hash_hex(algorithm, "REGISTER:sip:pbx.example")
    assert proof["response"] == hash_hex(
        algorithm, f"{ha1}:n1:00000001:{proof['cnonce']}:auth:{ha2}"
    )
    assert second.headers["Call-ID"] == request.headers["Call-ID"]
    assert second.cseq.sequence == request.cseq.sequence + 1
    assert second.headers["Via"] != request.headers["Via"]


def test_a_wrong_password_is_said_and_not_tried_on_and_on() -> None:
    line, request = begun()
    asks = {"WWW_Authenticate": 'Digest realm="r", nonce="n1", qop="auth"'}
    second = sent(line.received(reply(request, 401, **asks), NOW))
    asks["WWW_Authenticate"] = 'Digest realm="r", nonce="n2", qop="auth"'
    actions = line.received(reply(second, 401, **asks), NOW)
    assert actions[0] == HangUp()
    assert "user_pass" in line.reason
    assert "s3cret" not in line.reason
    assert line.state is LineState.WAITING


def test_a_stale_nonce_is_answered_with_the_new_one() -> None:
    line, request = begun()
    asks = {"WWW_Authenticate": 'Digest realm="r", nonce="n1", qop="auth"'}
    second = sent(line.received(reply(request, 401, **asks), NOW))
    asks["WWW_Authenticate"] = 'Digest realm="r", nonce="n2", qop="auth", stale=true'
    third = sent(line.received(reply(second, 401, **asks), NOW))
    assert parse_digest(third.headers["Authorization"])["nonce"] == "n2"


def test_endless_stale_challenges_are_not_answered_without_end() -> None:
    line, request = begun()
    tries = 0
    while line.state is LineState.REGISTERING:
        tries += 1
        asks = f'Digest realm="r", nonce="n{tries}", qop="auth", stale=true'
        actions = line.received(reply(request, 401, WWW_Authenticate=asks), NOW)
        if line.state is LineState.REGISTERING:
            request = sent(actions)
    assert tries == 3
    assert actions[0] == HangUp()
    assert "stale" in line.reason
    assert line.due == NOW + timedelta(seconds=30)


def test_challenges_of_ever_other_realms_are_not_answered_without_end() -> None:
    line, request = begun()
    for number in itertools.count():
        asks = f'Digest realm="r{number}", nonce="n", qop="auth"'
        actions = line.received(reply(request, 407, Proxy_Authenticate=asks), NOW)
        if line.state is not LineState.REGISTERING:
            break
        request = sent(actions)
    assert number <= FURTHER_TRIES
    assert "4 passwords" in line.reason


def test_whatever_a_server_asks_one_attempt_has_an_end() -> None:
    codes = [407, 401, 407, 401, 439, 423]
    line, request = begun()
    for number, code in enumerate(codes):
        asks = f'Digest realm="r{code}", nonce="n{number}", stale=true'
        answer = reply(
            request, code, WWW_Authenticate=asks, Proxy_Authenticate=asks,
            Min_Expires="9000",
        )  # fmt: skip
        actions = line.received(answer, NOW)
        if line.state is LineState.WAITING:
            break
        request = sent(actions)
    assert number == FURTHER_TRIES
    assert "not content" in line.reason


def test_a_proxys_challenge_and_the_registrars_are_both_answered() -> None:
    line, request = begun()
    proxy = 'Digest realm="proxy", nonce="p1", qop="auth"'
    second = sent(line.received(reply(request, 407, Proxy_Authenticate=proxy), NOW))
    registrar = 'Digest realm="registrar", nonce="r1", qop="auth"'
    third = sent(line.received(reply(second, 401, WWW_Authenticate=registrar), NOW))
    first_proof = parse_digest(third.headers["Proxy-Authorization"])
    assert (first_proof["nonce"], first_proof["nc"]) == ("p1", "00000002")
    assert parse_digest(third.headers["Authorization"])["nonce"] == "r1"
    assert states(line.received(reply(third, 200, Expires="60"), NOW)) == ["registered"]
    refresh = sent(silent_to_pings(line))
    assert parse_digest(refresh.headers["Proxy-Authorization"])["nc"] == "00000003"
    assert parse_digest(refresh.headers["Authorization"])["nc"] == "00000002"
    anew = 'Digest realm="proxy", nonce="p2", qop="auth"'
    again = sent(line.received(reply(refresh, 407, Proxy_Authenticate=anew), NOW))
    assert parse_digest(again.headers["Proxy-Authorization"])["nonce"] == "p2"
    actions = line.received(reply(again, 407, Proxy_Authenticate=anew), NOW)
    assert actions[0] == HangUp()
    assert "user_pass" in line.reason


def test_one_response_may_ask_for_several_realms() -> None:
    line, request = begun()
    answer = reply(request, 401)
    for realm, algorithm in (("a", "MD5"), ("b", "MD5"), ("a", "SHA-256")):
        answer.headers.add(
            "WWW-Authenticate",
            f'Digest realm="{realm}", nonce="n", qop="auth", algorithm={algorithm}',
        )
    second = sent(line.received(answer, NOW))
    proofs = map(parse_digest, second.headers.getlist("Authorization"))
    assert [(p["realm"], p["algorithm"]) for p in proofs] == [
        ("a", "SHA-256"),
        ("b", "MD5"),
    ]


def test_an_unknown_scheme_is_said() -> None:
    line, request = begun()
    line.received(reply(request, 401, WWW_Authenticate="NTLM x"), NOW)
    assert "this phone does not know: ntlm" in line.reason


def test_too_brief_an_interval_is_lengthened_once() -> None:
    account = SipAccount(1, "100", "pbx.example", "h", 5061, True, expires_s=30)
    line = registration(account)
    line.started(NOW)
    request = sent(line.connected("::1", 1, NOW))
    second = sent(line.received(reply(request, 423, Min_Expires="120"), NOW))
    assert second.expires == 120
    line.received(reply(second, 423, Min_Expires="120"), NOW)
    assert line.state is LineState.WAITING


def test_a_growing_min_expires_is_not_followed_without_end() -> None:
    line, request = begun()
    request = sent(line.received(reply(request, 423, Min_Expires="9000"), NOW))
    actions = line.received(reply(request, 423, Min_Expires="9001"), NOW)
    assert actions[0] == HangUp()
    assert "423" in line.reason
    line.tick(line.due)
    assert sent(line.connected("192.0.2.7", 2, NOW)).expires == ACCOUNT.expires_s


def test_a_server_without_outbound_is_asked_once_more_without_it() -> None:
    line, request = begun()
    assert request.headers["Supported"] == "path, outbound"
    second = sent(line.received(reply(request, 439), NOW))
    assert second.headers["Supported"] == "path"
    assert states(line.received(reply(second, 439), NOW)) == ["waiting"]


ENDLESS = "9" * 5000


@pytest.mark.parametrize(
    ("code", "headers"),
    [
        (200, {"Expires": ENDLESS}),
        (200, {"Contact": f"<sip:1@h:{ENDLESS}>;expires={ENDLESS}"}),
        (423, {"Min_Expires": ENDLESS}),
        (503, {"Retry_After": ENDLESS}),
        (200, {"Flow_Timer": ENDLESS, "Via": f"SIP/2.0/TLS a;keep={ENDLESS}"}),
    ],
)
def test_a_number_without_end_harms_nobody(code: int, headers: dict) -> None:
    line, request = begun()
    line.received(reply(request, code, **headers), NOW)
    assert line.state is (LineState.REGISTERED if code == 200 else LineState.WAITING)
    assert line.due <= NOW + timedelta(seconds=1800)


def test_every_connection_registers_one_and_the_same_contact_of_the_phone() -> None:
    line, _ = begun()
    seen = []
    for port in (1, 2):
        line.disconnected("gone", NOW)
        line.tick(line.due)
        contact = sent(line.connected("192.0.2.7", port, NOW)).headers["Contact"]
        uri, _, parameters = contact.partition(">")
        assert f"@192.0.2.7:{port};" in uri
        assert parameters == (
            ';reg-id=1;+sip.instance="<urn:uuid:00000000-0000-1000-8000-000413aabbcc>"'
        )
        seen.append(uri.partition(";line=")[2])
    assert seen[0] == seen[1] != ""


def test_the_instance_is_a_uuid_of_the_mac_by_rfc_5626() -> None:
    urn = instance_urn(Mac("000413AABBCC"))
    assert urn == "urn:uuid:00000000-0000-1000-8000-000413aabbcc"
    made = uuid.UUID(urn)
    assert (made.variant, made.version) == (uuid.RFC_4122, 1)
    assert (made.time, made.node) == (0, 0x000413AABBCC)


def test_of_what_earlier_connections_left_nothing_is_counted() -> None:
    line, request = begun()
    ours = request.headers["Contact"]
    left = ours.replace(":40000", ":39999")
    answer = reply(request, 200, Contact=f"{left};expires=5, {ours};expires=90")
    line.received(answer, NOW)
    assert line.registered_until == NOW + timedelta(seconds=90)


def test_the_registrars_word_on_our_own_contact_counts() -> None:
    line, request = begun()
    ours = request.headers["Contact"]
    answer = reply(request, 200, Expires="10")
    answer.headers.set(
        "Contact", f"<sip:100@198.51.100.1;line=other>;expires=5, {ours};expires=90"
    )
    line.received(answer, NOW)
    assert line.registered_until == NOW + timedelta(seconds=90)


def test_it_is_refreshed_before_it_ends_and_kept_alive_between() -> None:
    line, now = registered("600"), NOW
    pings = 0
    while True:
        now = line.due
        assert now < NOW + timedelta(seconds=600)
        actions = line.tick(now)
        if actions == [Send(PING)]:
            pings += 1
            line.received(Pong(), now)
        elif actions:
            break
    assert pings >= 4
    assert states(actions) == ["registering"]
    assert sent(actions).method == "REGISTER"


def silent_to_pings(line: Registration) -> list:
    """What the line does first that is no ping."""
    while True:
        actions = line.tick(line.due)
        if actions != [Send(PING)]:
            return actions


VIA = "SIP/2.0/TLS 192.0.2.7:40000;branch=z9hG4bKx;rport=1"


@pytest.mark.parametrize(
    "says",
    [{"Flow_Timer": "120"}, {"Via": f"{VIA};keep=90"}, {"Via": f"{VIA};keep=0"},
     {"Require": "outbound"}, {"Path": "<sip:edge.example;lr;ob>"}],
    ids=str,
)  # fmt: skip
def test_a_missing_pong_ends_the_connection_where_the_server_said_it_answers(
    says: dict[str, str],
) -> None:
    line = registered(**says)
    actions = silent_to_pings(line)
    assert actions[0] == HangUp()
    assert states(actions) == ["waiting"]
    assert "keep-alives" in line.reason


@pytest.mark.parametrize(
    "says",
    [{}, {"Via": f"{VIA};keep"}, {"Flow_Timer": "soon"}, {"Supported": "outbound"},
     {"Path": "<sip:edge.example;lr;observe=1>"}],
    ids=str,
)  # fmt: skip
def test_a_server_that_never_answered_a_ping_stays_connected(
    says: dict[str, str],
) -> None:
    actions = silent_to_pings(registered(**says))
    assert states(actions) == ["registering"]
    assert sent(actions).method == "REGISTER"


def test_a_server_that_answered_one_ping_must_answer_the_next() -> None:
    line = registered()
    assert line.tick(line.due) == [Send(PING)]
    line.received(Pong(), line.due)  # 60 s late: nobody knows what that was
    assert states(silent_to_pings(line)) == ["registering"]
    line, now = registered(), NOW
    now = line.due
    assert line.tick(now) == [Send(PING)]
    line.received(Pong(), now + timedelta(seconds=1))
    assert states(silent_to_pings(line)) == ["waiting"]


def test_what_one_connection_answered_says_nothing_of_the_next() -> None:
    line = registered(Flow_Timer="120")
    line.disconnected("gone", NOW)
    line.tick(line.due)
    request = sent(line.connected("192.0.2.7", 40001, NOW))
    line.received(reply(request, 200, Expires="600"), NOW)
    assert states(silent_to_pings(line)) == ["registering"]


@pytest.mark.parametrize(
    ("flow_timer", "every"),
    [("120", 60), ("50", 50), ("1", 10), ("9" * 5000, 60)],
)
def test_pings_are_as_frequent_as_the_server_wants_within_reason(
    flow_timer: str, every: float
) -> None:
    line = registered(Flow_Timer=flow_timer)
    assert line.due == NOW + timedelta(seconds=every)


def test_a_late_pong_does_not_stop_the_clock_of_a_refresh() -> None:
    line = registered()
    assert states(silent_to_pings(line)) == ["registering"]
    line.received(Pong(), line.due)
    assert line.due is not None


def test_a_ping_of_the_servers_is_answered() -> None:
    assert registered().received(Ping(), NOW) == [Send(PONG)]


def test_delays_double_with_jitter_up_to_half_an_hour_and_start_over_after_success() -> (
    None
):
    line, delays, now = registration(), [], NOW
    line.started(now)
    for _ in range(10):
        line.disconnected("the host does not answer", now)
        delays.append((line.due - now).total_seconds())
        now = line.due
        assert isinstance(line.tick(now)[-1], Connect)
    assert delays[:4] == [30, 60, 120, 240]
    assert max(delays) == 1800
    request = sent(line.connected("192.0.2.7", 1, now))
    line.received(reply(request, 200), now)
    line.disconnected("gone", now)
    assert line.due - now == timedelta(seconds=30)


def test_retry_after_is_honoured_within_reason() -> None:
    for text, expected in (("600 (later)", 600), ("999999", 1800), ("x", 30)):
        line, request = begun()
        line.received(reply(request, 503, Retry_After=text), NOW)
        assert line.due == NOW + timedelta(seconds=expected)


def test_a_server_that_never_answers_is_given_up() -> None:
    line, _ = begun()
    assert line.tick(NOW) == []
    assert states(line.tick(line.due)) == ["waiting"]


def test_stopping_unregisters() -> None:
    line = registered()
    goodbye = sent(line.stopping(NOW))
    assert goodbye.expires == 0
    actions = line.received(reply(goodbye, 200), NOW)
    assert states(actions) == ["idle"]
    assert actions[-1] == HangUp()
    assert line.due is None


def test_late_and_foreign_answers_change_nothing() -> None:
    line, request = begun()
    other = reply(request, 200)
    other.headers.set("Call-ID", "somebody-else")
    assert line.received(other, NOW) == []
    late = reply(request, 200)
    late.headers.set("CSeq", "99 REGISTER")
    assert line.received(late, NOW) == []
    assert line.state is LineState.REGISTERING


def asked(method: str, **headers: str) -> Request:
    text = f"{method} sip:100@192.0.2.7 SIP/2.0\r\nVia: SIP/2.0/TLS pbx;branch=z9hG4bKx\r\n"
    text += 'From: "Bob" <sip:bob@pbx.example>;tag=1\r\nTo: <sip:100@pbx.example>\r\n'
    text += f"Call-ID: abc\r\nCSeq: 7 {method}\r\n"
    text += "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    return Message.parse((text + "\r\n").encode())


@pytest.mark.parametrize(
    ("method", "event", "code"),
    [("OPTIONS", "", 200), ("NOTIFY", "message-summary", 200), ("NOTIFY", "nonsense", 489),
     ("BYE", "", 481), ("INFO", "", 405), ("INVITE", "", 486), ("NOTIFY", "check-sync", 200)],
)  # fmt: skip
def test_every_request_is_answered_with_its_own_headers(method, event, code) -> None:
    request = asked(method, Event=event)
    response = sent(registered().received(request, NOW))
    assert response.code == code
    for name in ("Via", "From", "Call-ID", "CSeq"):
        assert response.headers[name] == request.headers[name]
    assert "tag=" in response.headers["To"]


@pytest.mark.parametrize(
    ("event", "reboot"),
    [
        ("check-sync", False),
        ("check-sync;reboot=true", True),
        ("Check-Sync; reboot=false", False),
    ],
)
def test_check_sync_asks_for_the_configuration(event: str, reboot: bool) -> None:
    actions = registered().received(asked("NOTIFY", Event=event), NOW)
    assert actions[-1] == ResyncRequested(reboot)


def test_a_call_is_told_and_refused_as_busy() -> None:
    (_, call) = registered().received(asked("INVITE"), NOW)
    assert isinstance(call, CallArrived)
    assert (call.remote, call.display_remote) == ("sip:bob@pbx.example", "Bob")


def test_ack_and_unanswerable_requests_are_passed_over() -> None:
    line = registered()
    assert line.received(asked("ACK"), NOW) == []
    broken = asked("OPTIONS")
    broken.headers.remove("Via")
    assert not any(isinstance(a, Send) for a in line.received(broken, NOW))


HAPPENINGS = st.lists(
    st.sampled_from(["start", "connect", "200", "401", "407", "439", "503", "423", "gone", "ping", "pong", "stop", "tick", "notify"]),
    max_size=40,
)  # fmt: skip


@given(HAPPENINGS)
def test_whatever_happens_in_whatever_order_it_stays_whole(
    happenings: list[str],
) -> None:
    line, now, connected, last = registration(), NOW, False, None
    for what in happenings:
        now += timedelta(seconds=40)
        match what:
            case "start":
                actions = line.started(now)
            case "connect" if line.state is LineState.CONNECTING:
                actions, connected = line.connected("192.0.2.7", 5, now), True
            case "gone":
                actions, connected = line.disconnected("gone", now), False
            case "stop":
                actions = line.stopping(now)
            case "tick":
                actions = line.tick(now)
            case "ping" if connected:
                actions = line.received(Ping(), now)
            case "pong" if connected:
                actions = line.received(Pong(), now)
            case "notify" if connected:
                actions = line.received(asked("NOTIFY", Event="check-sync"), now)
            case "200" | "401" | "407" | "439" | "503" | "423" if (
                connected and last is not None
            ):
                answer = reply(last, int(what), Min_Expires="9000")
                for name in ("WWW-Authenticate", "Proxy-Authenticate"):
                    answer.headers.set(name, 'Digest realm="r", nonce="n"')
                actions = line.received(answer, now)
            case _:
                continue
        for action in actions:
            if isinstance(action, HangUp):
                connected = False
            if isinstance(action, Send):
                assert connected
                if action.data.startswith(b"REGISTER"):
                    last = Message.parse(action.data)
        if line.state in (
            LineState.WAITING,
            LineState.REGISTERING,
            LineState.REGISTERED,
        ):
            assert line.due is not None
        if line.state is LineState.REGISTERED:
            assert line.registered_until is not None


def test_where_a_server_fails_the_next_of_the_list_is_called() -> None:
    account = replace(ACCOUNT, standby=(Outbound("b.example", 5071, True),))
    line = registration(account)
    assert line.started(NOW)[-1] == Connect("sip.example", 5061, True)
    line.disconnected("nobody there", NOW)
    assert line.due is not None
    assert line.tick(line.due)[-1] == Connect("b.example", 5071, True)
    line.connected("192.0.2.7", 40000, NOW)
    assert line.due is not None
    line.tick(line.due)  # no answer to the REGISTER
    assert line.due is not None
    assert line.tick(line.due)[-1] == Connect("sip.example", 5061, True)
    answered = sent(line.connected("192.0.2.7", 40000, NOW))
    line.received(reply(answered, 200, Expires="600"), NOW)
    line.disconnected("the connection broke", NOW)
    assert line.due is not None  # a server that was good is called again
    assert line.tick(line.due)[-1] == Connect("sip.example", 5061, True)
