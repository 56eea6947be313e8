"""Firmware: which file is named, whether it is fetched, what it would install."""

from typing import Any

import pytest
from tests.certificates import MAC, NOW, device

from linekey.phone.events import Answer, Command, PoweredOn, SendLater
from linekey.phone.machine import Machine
from linekey.phone.report import describe_phone
from linekey.phone.state import new_phone
from linekey.phone.uses.firmware.events import (
    FetchFirmware,
    FirmwareFailed,
    FirmwareFetched,
    FirmwareTimeCame,
    FirmwareWanted,
)
from linekey.phone.uses.firmware.handle import firmware_rows
from linekey.phone.uses.provisioning.events import DocumentFetched, Fetch

FILE = "https://prov.test/fw/snomD785-10.1.140.15-SIP-r.bin"
STATUS = "https://prov.test/fw/D785.xml"
NAMES = f"<firmware-settings><firmware perm=''>{FILE}</firmware></firmware-settings>"


class Played:
    """A phone that got a document, and what it wanted done."""

    def __init__(
        self, inner: str, more: str = "", firmware: str = "10.1.33.33"
    ) -> None:
        self.machine = Machine(
            new_phone(
                MAC, "D785", firmware, setting_server="https://prov.test/p/x.xml",
                builtin=device(),
            )
        )  # fmt: skip
        body = f"<settings><phone-settings>{inner}</phone-settings>{more}</settings>"
        self.commands = self(PoweredOn())
        while fetches := [c for c in self.commands if isinstance(c, Fetch)]:
            document = body.encode() if MAC.digits in fetches[0].url else b"<settings/>"
            self.commands = self(DocumentFetched(fetches[0], 200, document))

    def __call__(self, event: Any) -> list[Command]:
        return self.machine.handle(event, NOW)

    @property
    def fetch(self) -> FetchFirmware | None:
        found = [c for c in self.commands if isinstance(c, FetchFirmware)]
        return found[0] if found else None

    def came(self, request: FetchFirmware, body: bytes, **more: Any) -> Answer:
        values = {"status": 200, "url": request.url, "size": len(body), "sha256": "ab"}
        event = FirmwareFetched(request, body=body, **(values | more))
        self.commands = self(event)
        answers = [c for c in self.commands if isinstance(c, Answer)]
        return answers[-1] if answers else Answer(True, "goes on")

    @property
    def log(self) -> str:
        return "\n".join(
            e.text for e in self.machine.state.log if e.purpose == "firmware"
        )


def auto(name: str, value: str) -> str:
    return f"<{name}>{value}</{name}><update_policy>auto_update</update_policy>"


def asked(played: Played) -> FetchFirmware:
    played.commands = played(FirmwareWanted())
    assert played.fetch is not None, played.commands
    return played.fetch


def test_firmware_status_names_the_document_that_names_the_file() -> None:
    played = Played(auto("firmware_status", STATUS))
    assert played.fetch == FetchFirmware(STATUS, False, asked=False)
    played.came(played.fetch, NAMES.encode())
    assert played.fetch == FetchFirmware(FILE, True, asked=False)
    answer = played.came(played.fetch, b"\x7fELF firmware", size=31_000_000)
    assert answer.ok
    assert "31000000 bytes; a real phone would install 10.1.140.15" in answer.text
    assert answer.details["firmware"]["sha256"] == "ab"
    shown = describe_phone(played.machine.state)
    assert shown["apps"]["firmware_file"]["version"] == "10.1.140.15"
    assert firmware_rows(shown) == [("firmware file", answer.text)]
    assert f"{STATUS} names {FILE}" in played.log
    assert str(played.machine.state.profile.firmware) == "10.1.33.33", "not installed"


@pytest.mark.parametrize(
    ("inner", "more", "url"),
    [
        (auto("firmware", FILE), "", FILE),
        (auto("firmware_status", STATUS), NAMES, FILE),
        (auto("x", "y"), NAMES.replace(FILE, "fw/a.bin"), "https://prov.test/p/fw/a.bin"),
        (auto("x", "y"), NAMES.replace(FILE, "/{mac}.bin?a=1&amp;b=2"), f"https://prov.test/{MAC}.bin?a=1&b=2"),
    ],
)  # fmt: skip
def test_the_file_may_be_named_among_the_settings_relative_or_by_mac(
    inner: str, more: str, url: str
) -> None:
    assert Played(inner, more).fetch == FetchFirmware(url, True, asked=False)


@pytest.mark.parametrize("policy", ["", "ask_for_update"])
def test_without_auto_update_somebody_has_to_ask(policy: str) -> None:
    played = Played(f"<update_policy>{policy}</update_policy>", NAMES)
    assert played.fetch is None
    assert "somebody has to ask" in played.log
    assert asked(played) == FetchFirmware(FILE, True, asked=True)


@pytest.mark.parametrize("policy", ["settings_only", "never_update", "Never_Update"])
def test_a_policy_may_forbid_it(policy: str) -> None:
    played = Played(f"<update_policy>{policy}</update_policy>", NAMES)
    assert played.fetch is None
    (answer,) = played(FirmwareWanted())
    assert isinstance(answer, Answer)
    assert not answer.ok
    assert "keeps the phone from fetching firmware" in answer.text


def test_nothing_named_is_said_with_what_to_provision() -> None:
    played = Played("")
    (answer,) = played(FirmwareWanted())
    assert isinstance(answer, Answer)
    assert answer.text == "the settings name no firmware"
    assert "firmware_status" in answer.hint


def test_it_looks_again_after_the_interval_and_fetches_a_file_once() -> None:
    inner = (
        auto("firmware_status", STATUS) + "<firmware_interval>60</firmware_interval>"
    )
    played = Played(inner)
    assert SendLater(3600.0, FirmwareTimeCame()) in played.commands
    request = played.fetch
    assert request is not None
    played.came(request, NAMES.encode())
    assert played.fetch is not None
    played.came(played.fetch, b"\x00firmware")
    played.commands = played(FirmwareTimeCame())
    assert played.fetch == request
    played.came(request, NAMES.encode())
    assert played.fetch is None, "it is the same file"
    played.came(request, NAMES.replace("10.1.140", "10.1.150").encode())
    assert played.fetch is not None


REFUSED = [
    ({"status": 404}, b"", "the server answered 404"),
    ({}, b"", "the file is empty"),
    ({}, b"  <!doctype html>", "a page or a document, no firmware"),
    ({"content_type": "text/html; charset=x"}, b"Log in", "no firmware"),
    ({"url": "http://cdn.test/a.bin"}, b"\x00", "plain HTTP from http://cdn.test"),
    (
        {"url": FILE.replace("D785", "D715")},
        b"\x00",
        "its name says D715; this is a D785",
    ),
]


@pytest.mark.parametrize(("more", "body", "says"), REFUSED)
def test_what_is_no_firmware_for_this_phone_is_refused_with_a_cure(
    more: dict[str, Any], body: bytes, says: str
) -> None:
    played = Played("", NAMES)
    answer = played.came(asked(played), body, **more)
    assert not answer.ok
    assert says in answer.text
    assert answer.hint
    assert answer.hint in played.log
    assert played.machine.state.log[-1].level == "error"


@pytest.mark.parametrize("body", [b"", b"<html/>", b"<firmware-settings/>", b"\x00", b"firmware: x",
    b"<firmware-settings><firmware>ftp://x/y</firmware></firmware-settings>"])  # fmt: skip
def test_a_document_that_names_no_file_is_refused_with_a_cure(body: bytes) -> None:
    played = Played(f"<firmware_status>{STATUS}</firmware_status>")
    answer = played.came(asked(played), body)
    assert not answer.ok
    assert answer.hint
    assert played.fetch is None


def test_what_runs_already_is_said_and_an_open_way_is_warned_of() -> None:
    played = Played("", NAMES, "10.1.140.15")
    assert (
        "the phone runs 10.1.140.15 already" in played.came(asked(played), b"\x00").text
    )
    played = Played("", NAMES.replace("https", "http"))
    answer = played.came(asked(played), b"\x00")
    assert answer.ok, "a real phone takes it"
    assert "could have replaced it" in answer.text
    assert played.machine.state.log[-1].level == "warning"


def test_a_password_in_its_url_is_in_no_log_answer_or_report() -> None:
    named = NAMES.replace("https://", "https://user:hunter2@")
    played = Played("", named)
    request = asked(played)
    assert "hunter2" in request.url
    answer = played.came(request, b"\x00")
    failed = played(FirmwareFailed(request, "cannot connect"))
    everything = f"{request}{answer}{failed}{played.machine.state.log}"
    assert "hunter2" not in everything + str(
        describe_phone(played.machine.state)["apps"]
    )
