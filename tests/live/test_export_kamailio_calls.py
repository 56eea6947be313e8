"""Kamailio from exported files, between phones: who may send what to whom.

Each test breaks one rule, beside the same request that keeps it, in one instance. ``A``
and ``B`` have an account each and are registered; ``STRANGE`` is a phone with a good
certificate that is active and has no account.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.live.conftest import Place
from tests.live.peers import NAME, Peer
from tests.live.sip_line import (
    LINE,
    OTHER,
    USER,
    Dialog,
    Line,
    call,
    header,
    line,
    message,
    proof,
    register,
    registrar,
    reply,
)

from linekey.catalog.vendors import LAB_VENDOR
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.server.server import utc_now
from linekey.store.devices import Devices

pytestmark = [pytest.mark.peer("kamailio"), pytest.mark.peer("openssl")]

STRANGE = Mac("000413AABB31")
SECOND = Mac("000413AABB32")
TO_A, TO_B = f"sip:{USER}@{NAME}", f"sip:{OTHER}@{NAME}"
FROM_B = f"<sip:{OTHER}@{NAME}>;tag=2"
RESTART = "Event: check-sync;reboot=true\r\nSubscription-State: active\r\n"
OF_A = "4713"
"""A's second account, not registered."""
PROBE = message("OPTIONS", f"sip:{NAME}", call_id="probe@x")
"""What the server answers by itself."""


@dataclass
class Phones:
    peer: Peer
    a: Line
    b: Line
    strange: Line


@asynccontextmanager
async def phones(place: Place, **words: Any) -> AsyncIterator[Phones]:
    """Kamailio with A and B registered, and the stranger connected."""
    for mac in (STRANGE, SECOND):
        Devices(place.database).add(Device(mac, LAB_VENDOR, "D785"), utc_now())
    async with AsyncExitStack() as stack:
        accounts = [(USER, str(place.phone)), (OTHER, str(SECOND)), (OF_A, str(place.phone))]  # fmt: skip
        peer = await stack.enter_async_context(registrar(place, *accounts, **words))
        macs = (place.phone, SECOND, STRANGE)
        a, b, strange = [
            await stack.enter_async_context(line(place, peer, place.identity(mac)))
            for mac in macs
        ]
        for user, one in ((USER, a), (OTHER, b)):
            answer = await one.register(user)
            assert answer.startswith("SIP/2.0 200"), answer + peer.log()
        yield Phones(peer, a, b, strange)


@asynccontextmanager
async def listener() -> AsyncIterator[tuple[int, asyncio.Event]]:
    """A TCP port, and whether somebody connected to it."""
    reached = asyncio.Event()

    async def accepted(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        writer.close()

    async with await asyncio.start_server(accepted, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], reached


async def sent_in(dialog: Dialog, one: Line, method: str, uri: str = LINE, *, cseq: int = 7, headers: str = "", **words: Any) -> str:  # fmt: skip
    """The answer to a request within a call, whose challenge is not answered."""
    given = dict(own=dialog.own, peer=dialog.peer, call_id=dialog.call_id)
    return await one.ask(
        message(method, uri, **{**given, **words}, cseq=cseq, headers=dialog.headers + headers)
    )  # fmt: skip


# --- outside a call


@pytest.mark.parametrize("method", ["NOTIFY", "INFO", "BYE", "UPDATE", "REFER"])
async def test_nothing_but_calls_and_messages_goes_to_a_phone_outside_a_call(
    place: Place, method: str, record_interop: Any
) -> None:
    async with phones(place) as at:
        for sender, own in ((at.strange, "<sip:x@y>;tag=1"), (at.b, FROM_B)):
            answer = await sender.ask(message(method, TO_A, own=own, peer=f"<{TO_A}>", headers=RESTART))  # fmt: skip
            assert answer.startswith("SIP/2.0 403"), answer
        # Nor with the right password.
        challenge = await at.b.ask(message("MESSAGE", TO_A, own=FROM_B))
        with_proof = RESTART + proof(challenge, method, TO_A, OTHER)
        answer = await at.b.ask(message(method, TO_A, own=FROM_B, cseq=3, headers=with_proof))  # fmt: skip
        assert answer.startswith("SIP/2.0 403"), answer
        assert await at.a.got_nothing(PROBE)
    record_interop("kamailio", f"{method} to a phone outside a call", "403")


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "OPTIONS"])
async def test_who_sends_to_a_phone_needs_an_account_and_its_password(
    place: Place, method: str
) -> None:
    async with phones(place) as at:
        for sender, own in ((at.strange, FROM_B), (at.b, FROM_B)):
            answer = await sender.ask(message(method, TO_A, own=own, call_id=f"{id(sender)}@x"))  # fmt: skip
            assert answer.startswith("SIP/2.0 407"), answer
        answer = await at.strange.ask_with_password(method, TO_A, OTHER, own=FROM_B)
        assert answer.startswith("SIP/2.0 403 This account belongs"), answer
        assert await at.a.got_nothing(PROBE)
        asking = asyncio.create_task(
            at.b.ask_with_password(method, TO_A, OTHER, own=FROM_B, call_id="good@x")
        )
        request = await at.a.request()
        assert request.startswith(f"{method} "), request
        assert SECRET_MARK not in request, "the proof of the password goes no further"
        await at.a.say(reply(request, "486 Busy Here", tag="b"))
        assert (await asking).startswith("SIP/2.0 486")


SECRET_MARK = "Proxy-Authorization"


async def test_the_server_answers_options_itself_and_has_no_events(
    place: Place,
) -> None:
    async with phones(place) as at:
        assert (await at.strange.ask(PROBE)).startswith("SIP/2.0 200 Keepalive")
        for method in ("SUBSCRIBE", "PUBLISH"):
            answer = await at.b.ask(message(method, TO_A, own=FROM_B))
            assert answer.startswith("SIP/2.0 489"), answer
        assert await at.a.got_nothing(PROBE)


async def test_the_sender_is_who_the_password_says_in_user_and_domain(
    place: Place,
) -> None:
    async with phones(place) as at:
        for own in (f"<sip:{USER}@{NAME}>;tag=1", f"<sip:{OTHER}@bank.example>;tag=1"):
            answer = await at.b.ask_with_password("MESSAGE", TO_A, OTHER, own=own)
            assert answer.startswith("SIP/2.0 403 This account is not yours"), answer
        for to in (TO_A, f"sip:{OTHER}@bank.example"):
            answer = await at.b.register(OTHER, to=to, cseq=7)
            assert answer.startswith("SIP/2.0 403 This account is not yours"), answer
        assert (await at.b.register(OTHER, cseq=9)).startswith("SIP/2.0 200")


async def test_a_register_with_a_to_tag_needs_the_password_too(place: Place) -> None:
    async with phones(place) as at:
        contact = "<sip:thief@127.0.0.1:5061;transport=tls>"
        told = register(to_tag="x", contact=contact, cseq=5)
        answer = await at.strange.ask(told)
        assert answer.startswith("SIP/2.0 401"), answer
        asking = asyncio.create_task(
            at.b.ask_with_password("MESSAGE", TO_A, OTHER, own=FROM_B)
        )
        assert (await at.a.request()).startswith("MESSAGE ")
        asking.cancel()


async def test_what_is_no_sip_or_went_round_in_circles_is_refused(
    place: Place,
) -> None:
    async with phones(place) as at:
        options = message("OPTIONS", f"sip:{NAME}", call_id="h@x")
        ended = options.replace(b"Max-Forwards: 70", b"Max-Forwards: 0")
        assert (await at.b.ask(ended)).startswith("SIP/2.0 483")
        wrong = options.replace(b"CSeq: 1 OPTIONS", b"CSeq: 1 BYE")
        assert (await at.b.ask(wrong)).startswith("SIP/2.0 400")
        assert (await at.b.ask(options)).startswith("SIP/2.0 200")


async def test_another_host_is_no_relay(place: Place) -> None:
    async with phones(place) as at, listener() as (port, reached):
        elsewhere = f"sip:x@127.0.0.1:{port};transport=tcp"
        answer = await at.b.ask(message("MESSAGE", elsewhere, own=FROM_B))
        assert answer.startswith("SIP/2.0 403 No relay"), answer
        route = f"Route: <sip:127.0.0.1:{port};transport=tcp;lr>\r\n"
        asking = asyncio.create_task(
            at.b.ask_with_password("MESSAGE", TO_A, OTHER, own=FROM_B, headers=route)
        )
        request = await at.a.request()
        assert f":{port}" not in request, request
        await at.a.say(reply(request, "200 OK", tag="a"))
        assert (await asking).startswith("SIP/2.0 200")
        assert not reached.is_set()


async def test_nothing_is_ever_connected_to_from_the_server(place: Place) -> None:
    """As if A's Contact were taken at its word."""
    word = f'if ($fU != "{USER}") {{ fix_nated_register(); }}\n'
    changes = {"fix_nated_register();\n": word}
    async with phones(place, changes=changes) as at, listener() as (port, reached):
        assert (await at.b.register(OTHER, cseq=5)).startswith("SIP/2.0 200")
        contact = f"<sip:{USER}@127.0.0.1:{port};transport=tcp>"
        answer = await at.a.register(contact=contact, cseq=5)
        assert answer.startswith("SIP/2.0 200"), answer
        answer = await at.b.ask_with_password("MESSAGE", TO_A, OTHER, own=FROM_B)
        assert answer.startswith("SIP/2.0 477"), answer
        assert not reached.is_set()


async def test_who_calls_must_be_registered_by_this_connection(place: Place) -> None:
    async with (
        phones(place) as at,
        line(place, at.peer, place.identity(SECOND)) as other,
    ):
        words: dict[str, Any] = dict(own=FROM_B, call_id="o@x")
        answer = await other.ask_with_password("INVITE", TO_A, OTHER, **words)
        assert answer.startswith("SIP/2.0 403 Register first"), answer
        assert await at.a.got_nothing(PROBE)
        assert (await other.register(OTHER, cseq=5)).startswith("SIP/2.0 200")
        await other.say(b"")
        asking = asyncio.create_task(
            other.ask_with_password("INVITE", TO_A, OTHER, own=FROM_B, call_id="p@x")
        )
        assert (await at.a.request()).startswith("INVITE ")
        asking.cancel()


# --- within a call


async def test_two_phones_call_talk_and_hang_up(
    place: Place, record_interop: Any
) -> None:
    async with phones(place) as at:
        of_a, of_b = await call(at.a, at.b)
        # The callee hangs up, through its connection to the server and the caller's.
        asking = asyncio.create_task(sent_in(of_b, at.b, "BYE"))
        bye = await at.a.request()
        assert bye.startswith("BYE "), bye
        assert bye.startswith(f"BYE {LINE} "), "the phone's own address stays"
        await at.a.say(reply(bye, "200 OK"))
        assert (await asking).startswith("SIP/2.0 200")
        # Then the call is over.
        answer = await sent_in(of_a, at.a, "BYE", cseq=9)
        assert answer.startswith("SIP/2.0 481"), answer
    record_interop("kamailio", "a call between two phones, each by its own connection")


async def test_what_changes_a_call_needs_the_password(place: Place) -> None:
    async with phones(place) as at:
        of_a, _ = await call(at.a, at.b)
        for number, method in enumerate(("INVITE", "UPDATE", "INFO", "REFER", "MESSAGE", "OPTIONS")):  # fmt: skip
            answer = await sent_in(of_a, at.a, method, cseq=20 + number)
            assert answer.startswith("SIP/2.0 407"), answer
        assert await at.b.got_nothing(PROBE)
        words: dict[str, Any] = dict(own=of_a.own, peer=of_a.peer, call_id=of_a.call_id)
        asking = asyncio.create_task(
            at.a.ask_with_password("INFO", LINE, **words, cseq=40, headers=of_a.headers)
        )
        info = await at.b.request()
        assert info.startswith("INFO "), info
        assert SECRET_MARK not in info
        await at.b.say(reply(info, "200 OK"))
        assert (await asking).startswith("SIP/2.0 200")


async def test_a_notify_within_a_call_tells_of_a_transfer_and_nothing_else(
    place: Place,
) -> None:
    async with phones(place) as at:
        _, of_b = await call(at.a, at.b)
        answer = await sent_in(of_b, at.b, "NOTIFY", headers=RESTART)
        assert answer.startswith("SIP/2.0 403 Not within a call"), answer
        answer = await sent_in(of_b, at.b, "SUBSCRIBE", cseq=8)
        assert answer.startswith("SIP/2.0 403 Not within a call"), answer
        asking = asyncio.create_task(
            at.b.ask_with_password(
                "NOTIFY", LINE, OTHER, own=of_b.own, peer=of_b.peer, call_id=of_b.call_id,
                cseq=30, headers=of_b.headers + "Event: refer;id=1\r\nSubscription-State: active\r\n",
            )
        )  # fmt: skip
        notify = await at.a.request()
        assert notify.startswith("NOTIFY "), notify
        await at.a.say(reply(notify, "200 OK"))
        assert (await asking).startswith("SIP/2.0 200")


async def test_a_call_that_did_not_begin_here_is_none(
    place: Place, record_interop: Any
) -> None:
    async with phones(place) as at, listener() as (port, reached):
        of_a, _ = await call(at.a, at.b)
        server = f"sip:127.0.0.1:{at.peer.port};transport=tls;lr"
        made = replace(of_a, peer=f"<{TO_A}>;tag=x", call_id="made@up", route=f"<{server}>")  # fmt: skip
        of_strange = replace(made, own="<sip:boss@bank.example>;tag=9")
        for method in ("INVITE", "MESSAGE", "NOTIFY", "BYE", "OPTIONS"):
            for uri in (f"sip:x@127.0.0.1:{port};transport=tcp", TO_A):
                answer = await sent_in(of_strange, at.strange, method, uri)
                assert answer.startswith("SIP/2.0 481"), answer
        assert await at.a.got_nothing(PROBE)
        assert not reached.is_set()
    record_interop("kamailio", "requests within a call that it never saw", "481")


async def test_a_call_is_for_its_two_phones_alone(place: Place) -> None:
    async with phones(place) as at:
        of_a, _ = await call(at.a, at.b)
        for method in ("BYE", "INVITE", "ACK"):
            told = message(
                method, LINE, own=of_a.own, peer=of_a.peer, call_id=of_a.call_id, cseq=50,
                headers=of_a.headers,
            )  # fmt: skip
            if method == "ACK":
                await at.strange.say(told)  # no answer to an ACK
                await at.strange.ask(PROBE)
            else:
                answer = await at.strange.ask(told)
                assert answer.startswith("SIP/2.0 403 This call is not yours"), answer
        assert await at.b.got_nothing(PROBE)
        asking = asyncio.create_task(sent_in(of_a, at.a, "BYE"))
        assert (await at.b.request()).startswith("BYE ")
        asking.cancel()


async def test_within_a_call_a_phone_uses_its_own_account(place: Place) -> None:
    async with phones(place) as at:
        of_a, _ = await call(at.a, at.b)
        words: dict[str, Any] = dict(own=of_a.own, peer=of_a.peer, call_id=of_a.call_id)
        for number, user in enumerate((OTHER, OF_A)):
            answer = await at.a.ask_with_password(
                "INFO", LINE, user, **words, cseq=40 + 2 * number, headers=of_a.headers
            )
            assert answer.startswith("SIP/2.0 403 This account"), answer
        assert await at.b.got_nothing(PROBE)


async def test_within_a_call_a_route_leads_to_the_other_phone_alone(
    place: Place, record_interop: Any
) -> None:
    async with phones(place) as at, listener() as (port, reached):
        of_a, _ = await call(at.a, at.b)
        elsewhere = f"sip:x@127.0.0.1:{port};transport=tcp"
        bare = message("BYE", elsewhere, own=of_a.own, peer=of_a.peer, call_id=of_a.call_id, cseq=8)  # fmt: skip
        assert (await at.a.ask(bare)).startswith("SIP/2.0 403 No relay")
        # Whatever the request says it is for: it goes to the other phone.
        asking = asyncio.create_task(sent_in(of_a, at.a, "BYE", elsewhere, cseq=9))
        bye = await at.b.request()
        assert bye.startswith("BYE "), bye
        await at.b.say(reply(bye, "200 OK"))
        assert (await asking).startswith("SIP/2.0 200")
        another, _ = await call(at.a, at.b, call_id="call2@a")
        more = replace(another, route=f"{another.route},<{elsewhere};lr>")
        answer = await sent_in(more, at.a, "BYE")
        assert answer.startswith("SIP/2.0 403 No relay"), answer
        assert await at.b.got_nothing(PROBE)
        assert not reached.is_set()
    record_interop("kamailio", "a Route or address of a phone's own making", "no relay")


async def test_a_call_goes_on_over_the_phones_new_connection(place: Place) -> None:
    async with phones(place) as at:
        of_a, _ = await call(at.a, at.b)
        async with line(place, at.peer, place.identity(SECOND)) as again:
            assert (await again.register(OTHER, cseq=5)).startswith("SIP/2.0 200")
            asking = asyncio.create_task(sent_in(of_a, at.a, "BYE"))
            assert (await again.request()).startswith("BYE ")
            asking.cancel()


async def test_a_cancel_follows_its_invite_and_no_other_is_taken(place: Place) -> None:
    async with phones(place) as at:
        challenge = await at.b.ask(message("INVITE", TO_A, own=FROM_B, call_id="c@x"))
        with_proof = proof(challenge, "INVITE", TO_A, OTHER)
        words: dict[str, Any] = dict(own=FROM_B, call_id="c@x", cseq=2)
        await at.b.say(message("INVITE", TO_A, **words, branch="z9hG4bKcc", headers=with_proof))  # fmt: skip
        invite = await at.a.request()
        await at.a.say(reply(invite, "180 Ringing", tag="r"))
        assert (await at.b.read()).startswith("SIP/2.0 180")
        stray = message("CANCEL", TO_A, **words, branch="z9hG4bKother")
        assert (await at.b.ask(stray)).startswith("SIP/2.0 481")
        assert await at.a.got_nothing(PROBE)
        await at.b.say(message("CANCEL", TO_A, **words, branch="z9hG4bKcc"))
        assert (await at.a.request()).startswith("CANCEL ")


async def test_an_answer_that_nobody_asked_for_goes_nowhere(place: Place) -> None:
    async with phones(place) as at:
        # A's own address, as B's request shows it to A, in a made-up answer's Via.
        contact = header(await at.a.register(cseq=5), "Contact")
        received = contact.split('received="sip:')[1].split(";")[0]
        made_up = (
            "SIP/2.0 200 OK\r\n"
            f"Via: SIP/2.0/TLS 127.0.0.1:{at.peer.port};branch=z9hG4bKzz.1\r\n"
            f"Via: SIP/2.0/TLS {received};branch=z9hG4bKyy\r\n"
            f"From: <{TO_A}>;tag=1\r\nTo: <{TO_A}>;tag=2\r\nCall-ID: m@x\r\nCSeq: 1 OPTIONS\r\n"
            "Content-Length: 0\r\n\r\n"
        )
        await at.strange.say(made_up.encode())
        await at.strange.ask(PROBE)
        answer = await at.a.ask(PROBE)
        assert "Call-ID: probe@x" in answer, answer
