"""``linekey forecast``: its exit status, its files, and what it cannot read."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from tests.certificates import ca, leaf
from typer.testing import CliRunner

import linekey.cli.forecast
from linekey.certs.pem import to_pem
from linekey.cli.forecast import app
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import CertificateEntry, Layer
from linekey.provisioning.group import Group
from linekey.store.devices import Devices
from linekey.store.groups import Groups
from linekey.store.opening import open_store

NAME = "sip.example.com"
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
OURS = ca("ours")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(linekey.cli.forecast, "now", lambda: NOW)
    trusts = Layer(certificates=(CertificateEntry(OURS.certificate.der),))
    with open_store(tmp_path / "state") as database:
        Devices(database).add_all(
            [Device(Mac("000413AABBCC"), "snom", "D785", "10.1.185.0", layer=trusts)],
            NOW,
        )
    chain = to_pem(leaf(OURS, NAME, not_after=NOW + timedelta(days=90)))
    (tmp_path / "chain.pem").write_text(chain)
    return tmp_path


def run(place: Path, *arguments: str) -> Result:
    state = str(place / "state")
    return CliRunner().invoke(app, [*arguments, "--state", state])


def test_the_exit_status_says_whether_something_ends(place: Path) -> None:
    also = "--also", f"{NAME}={place / 'chain.pem'}"
    ends = run(place, *also, "--json")
    assert ends.exit_code == 1, ends.stderr
    (event,) = json.loads(ends.stdout)["events"]
    assert (event["server"], event["macs"]) == (NAME, ["000413AABBCC"])
    assert run(place, *also, "--until", "30d").exit_code == 0
    page, calendar = place / "page.html", place / "ends.ics"
    assert run(place, *also, "--html", str(page), "--ics", str(calendar)).exit_code == 1
    assert f"1 phone stops accepting {NAME}" in page.read_text()
    assert f"1 phone stops accepting {NAME}" in calendar.read_text()


def test_the_phones_of_one_group_are_looked_at(place: Path) -> None:
    also = "--also", f"{NAME}={place / 'chain.pem'}"
    with open_store(place / "state") as database:
        for name in ("acme", "corp"):
            Groups(database).add(Group(name), NOW)
        Devices(database).change(
            Mac("000413AABBCC"), lambda d: replace(d, group="acme"), NOW
        )
    assert run(place, *also, "--group", "ACME", "--json").exit_code == 1
    none = run(place, *also, "--group", "corp", "--json")
    assert (none.exit_code, json.loads(none.stdout)["phones"]) == (0, 0)
    wrong = run(place, *also, "--group", "acne")
    assert wrong.exit_code == 2
    assert "acme" in wrong.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--chain", "{0}/none.pem"), "none.pem"),
        (("--chain", "{0}/words.txt"), "words.txt"),
        (("--also", "{0}/chain.pem"), "HOST=FILE"),
        (("--until", "2020-01-01"), "not a time in the future"),
        (("--until", "soon"), "not a time"),
        (("--html", "{0}/no/such/folder.html"), "cannot write"),
    ],
)
def test_bad_input_is_told_with_a_hint(
    place: Path, arguments: tuple[str, str], said: str
) -> None:
    (place / "words.txt").write_text("no certificate in here")
    found = run(place, *(text.format(place) for text in arguments))
    assert found.exit_code == 2, found.output
    assert said in found.stderr
    assert "hint: " in found.stderr


def test_a_clock_that_nobody_set_is_no_day_to_count_from(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dark = datetime(1970, 1, 1, 0, 5, tzinfo=UTC)
    monkeypatch.setattr(linekey.cli.forecast, "now", lambda: dark)
    found = run(place)
    assert found.exit_code == 2
    assert "clock shows 1970-01-01" in found.stderr
