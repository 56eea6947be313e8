"""``linekey load``: a master and its workers against a real server and a registrar.

Every load is its own processes, as an operator starts them: the master, two workers,
and the lab's server (``linekey.load.target``) or Kamailio from exported files.
"""

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import Place
from tests.live.peers import NAME
from tests.live.sip_line import SECRET, registrar
from tests.live.test_phone_directory import directory

from linekey.catalog.vendors import LAB_VENDOR
from linekey.load.target import Target, lab_target
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Setting
from linekey.server.server import utc_now
from linekey.store.devices import Devices

LINEKEY = [str(Path(sys.executable).parent / "linekey")]
ROOT = Path(__file__).parents[2]
PHONES = 24


@pytest.fixture(scope="module")
def lab() -> Iterator[Target]:
    with lab_target(PHONES) as target:
        yield target


def words(lab: Target, *more: str) -> list[str]:
    return [
        *LINEKEY, "load", "--server", lab.server, "--trust", str(lab.trust),
        "--phones-from", str(lab.table), *more,
    ]  # fmt: skip


def run(
    command: list[str], expect: int = 0, within_s: float = 60
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=within_s, check=False
    )
    assert done.returncode == expect, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done


class Running:
    """A load that runs; its notes as they come."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.notes = ""
        self._came = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._came:
                self.notes += line
                self._came.notify_all()

    def wait_for(self, text: str, within_s: float = 30) -> None:
        with self._came:
            assert self._came.wait_for(lambda: text in self.notes, within_s), self.notes

    def workers(self) -> list[int]:
        """Its children that run phones."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [
            int(c)
            for c in children
            if "--join" in Path(f"/proc/{c}/cmdline").read_text()
        ]

    def close(self) -> None:
        self._reader.join(10)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def end(self, expect: int = 0) -> str:
        assert self.process.stdout is not None
        out = self.process.stdout.read()
        code = self.process.wait(30)
        self.close()
        assert code == expect, self.notes + out
        assert "Traceback" not in self.notes, self.notes
        return out


@contextmanager
def running(command: list[str]) -> Iterator[Running]:
    load = Running(command)
    try:
        yield load
    finally:
        if load.process.poll() is None:
            load.process.kill()
            load.process.wait()
        load.close()


def row(document: dict[str, Any], kind: str) -> dict[str, Any]:
    (found,) = [r for r in document["requests"] if r["kind"] == kind]
    return found


def test_master_and_two_workers_boot_register_and_use_every_phone_once(
    lab: Target, tmp_path: Path
) -> None:
    mix = "boot,register,refresh,keys=2,actions"
    done = run(
        words(
            lab, "--phones", str(PHONES), "--workers", "2", "--for", "6s", "--mix", mix,
            "--think", "1s", "--rate", "24/s", "--json",
            "--html", str(tmp_path / "report.html"), "--csv", str(tmp_path / "load"),
        )
    )  # fmt: skip
    document = json.loads(done.stdout)
    assert document["failures"] == []
    assert (
        row(document, "boot")["count"] == row(document, "register")["count"] == PHONES
    )
    for kind in ("refresh", "keys", "actions"):
        assert row(document, kind)["count"] >= PHONES / 4, kind
    for entry in document["requests"]:
        assert 0 < entry["median_ms"] <= entry["p95_ms"] <= entry["p99_ms"]
    # Two fetches and a registration each, and one for each key, refresh and action.
    assert row(document, "tls")["count"] >= 3 * PHONES
    assert document["registrations_a_second"] > 0
    assert [w["started"] for w in document["workers"]] == [PHONES // 2] * 2
    own = document["own"]
    assert 0 < own["least"] <= own["most"] <= 1
    assert own["cpu_s"] > 0
    page = (tmp_path / "report.html").read_text()
    assert "the load&#x27;s own:" in page
    with (tmp_path / "load_stats.csv").open() as file:
        table = {r["Name"]: int(r["Request Count"]) for r in csv.DictReader(file)}
    assert table["boot"] == PHONES


@pytest.mark.parametrize(("phones", "workers"), [(1, 4), (5, 3)])
def test_every_phone_starts_where_workers_do_not_share_them_evenly(
    lab: Target, phones: int, workers: int
) -> None:
    done = run(
        words(
            lab, "--phones", str(phones), "--workers", str(workers), "--for", "3s",
            "--mix", "boot", "--json",
        )
    )  # fmt: skip
    document = json.loads(done.stdout)
    assert row(document, "boot")["count"] == phones
    each = [(w["phones"], w["started"]) for w in document["workers"]]
    assert all(share == started for share, started in each), each
    assert sum(started for _, started in each) == phones


def test_the_pages_own_example_runs_as_it_stands_there() -> None:
    page = (ROOT / "docs" / "howto" / "load.md").read_text()
    (line,) = [x for x in page.splitlines() if x.startswith("    linekey load --lab")]
    done = run([*LINEKEY, *line.split()[1:]])
    assert "40 phones for 10 s, from " in done.stdout
    assert "opened a page by a key" in done.stdout
    assert "the load's own:" in done.stdout
    assert "failed:" not in done.stdout


def test_phones_that_do_not_boot_register_at_the_registrar_that_is_named(
    lab: Target,
) -> None:
    command = [
        *LINEKEY, "load", "--registrar", f"sips:{lab.registrar}", "--domain", lab.domain,
        "--trust", str(lab.trust), "--phones-from", str(lab.table), "--phones", "12",
        "--workers", "2", "--mix", "register=1", "--think", "1s", "--for", "4s", "--json",
    ]  # fmt: skip
    document = json.loads(run(command).stdout)
    assert document["failures"] == []
    # Each at first, and some again: off and on, with a connection of its own each time.
    assert row(document, "register")["count"] > 12
    assert row(document, "tls")["count"] >= row(document, "register")["count"]


OLDER = (
    "import linekey, sys; linekey.__version__ = '0.0.1'; "
    "from linekey.cli.main import main; main()"
)


def test_a_worker_of_another_machine_joins_with_the_runs_token_and_version_and_no_other(
    lab: Target, tmp_path: Path
) -> None:
    from linekey.load.curve import new_token  # Locust, which no other test needs

    token, wrong = tmp_path / "token", tmp_path / "wrong"
    new_token().write(wrong)
    with running(
        words(
            lab, "--phones", "12", "--workers", "1", "--expect", "1", "--for", "3s",
            "--token", str(token), "--json",
        )
    ) as load:  # fmt: skip
        load.wait_for("--join ")
        where = load.notes.split("--join ")[1].split()[0]
        join = ["load", "--join", where, "--phones-from", str(lab.table), "--token"]
        refused = run([*LINEKEY, *join, str(wrong)], expect=3)
        assert "does not let this worker in" in refused.stderr
        assert "each run makes a new one" in refused.stderr
        older = run([sys.executable, "-c", OLDER, *join, str(token)], expect=3)
        assert "refused this worker: it has linekey 0.0.1" in older.stderr
        assert "install the same" in older.stderr
        load.wait_for("was refused: it has linekey 0.0.1")
        joined = run([*LINEKEY, *join, str(token)])
        assert f"joined the load of {where}" in joined.stderr
        document = json.loads(load.end())
    assert [w["started"] for w in document["workers"]] == [6, 6]
    assert row(document, "register")["count"] == 12
    late = run([*LINEKEY, *join, str(token)], expect=3)
    assert "cannot connect to a master" in late.stderr


def test_a_worker_that_dies_is_named_and_the_others_go_on(lab: Target) -> None:
    with running(
        words(
            lab, "--phones", "12", "--workers", "2", "--for", "7s", "--mix",
            "boot,register,keys", "--think", "1s", "--json",
        )
    ) as load:  # fmt: skip
        load.wait_for("starting ")
        dead = load.workers()[0]
        os.kill(dead, signal.SIGKILL)
        load.wait_for("was lost: its process ended with -9")
        document = json.loads(load.end(expect=1))
    (lost,) = [w for w in document["workers"] if w["lost"]]
    assert lost["name"].endswith(f"-{dead}")
    assert lost["phones"] == 6
    (ended,) = [w for w in document["workers"] if not w["lost"]]
    assert ended["started"] == 6
    assert any("was lost after" in text for text in document["warnings"])


def test_ctrl_c_ends_it_early_with_a_report_and_leaves_no_process(lab: Target) -> None:
    with running(words(lab, "--phones", "8", "--workers", "2", "--for", "60s")) as load:
        load.wait_for("starting ")
        workers = load.workers()
        load.process.send_signal(signal.SIGINT)
        out = load.end()
    assert "8 phones for " in out
    assert "the load's own:" in out
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def test_workers_end_with_a_master_that_is_killed(lab: Target) -> None:
    with running(words(lab, "--phones", "8", "--workers", "2", "--for", "60s")) as load:
        load.wait_for("starting ")
        workers = load.workers()
        load.process.kill()
        until = time.monotonic() + 15
        while any(Path(f"/proc/{pid}").exists() for pid in workers):
            assert time.monotonic() < until, "workers outlive their master"
            time.sleep(0.1)
    assert len(workers) == 2


def test_failures_have_codes_and_cures_and_the_exit_status_says_so(lab: Target) -> None:
    command = words(lab, "--phones", "4", "--workers", "1", "--for", "3s", "--json")
    command.remove(str(lab.trust))
    command.remove("--trust")  # then the phones do not take the server
    document = json.loads(run(command, expect=1).stdout)
    (failure,) = document["failures"]
    assert (failure["kind"], failure["code"]) == ("boot", "load.server_refused")
    assert failure["count"] == 4
    assert "--trust FILE" in failure["cure"]
    assert failure["said"]


def test_a_certificate_that_is_missing_is_told_by_its_file_before_the_load_begins(
    lab: Target, tmp_path: Path
) -> None:
    table = tmp_path / "phones.csv"
    table.write_text("mac,identity\n000413000001,gone.pem\n")
    command = words(lab, "--phones", "1", "--workers", "3", "--for", "2s")
    command[command.index(str(lab.table))] = str(table)
    refused = run(command, expect=2)
    assert "000413000001: cannot read" in refused.stderr
    assert "gone.pem" in refused.stderr


def test_gevent_has_patched_nothing_and_phones_run_in_a_thread_of_the_system() -> None:
    import threading as plain

    from linekey.load import locust_engine  # first: it says that nothing is patched

    assert locust_engine.VERSIONS
    from gevent import monkey

    assert not monkey.saved
    assert not monkey.is_module_patched("threading")
    assert type(plain.Thread(target=print)).__module__ == "threading"


@pytest.mark.peer("kamailio")
@pytest.mark.peer("openssl")
async def test_phones_of_a_load_register_at_kamailio_each_with_its_certificate(
    place: Place, tmp_path: Path
) -> None:
    macs = [Mac(f"000413AB00{n:02X}") for n in range(6)]
    devices = [Device(mac, LAB_VENDOR, "D785") for mac in macs]
    Devices(place.database).add_all(devices, utc_now())
    accounts = [(f"47{n}", str(mac)) for n, mac in enumerate(macs)]
    rows = ["mac,identity,key,user,password"]
    for user, mac in accounts:
        pem, key = place.identity(Mac(mac))
        rows.append(f"{mac},{pem},{key},{user},{SECRET}")
    rows[-1] = rows[-1].replace(SECRET, "wrong")
    table = tmp_path / "phones.csv"
    table.write_text("\n".join(rows))
    async with registrar(place, *accounts) as peer:
        done = await asyncio.to_thread(
            run,
            [*LINEKEY, "load", "--registrar", f"sips:localhost:{peer.port}",
             "--domain", NAME, "--trust", str(place.lab.server_root_path),
             "--phones-from", str(table), "--phones", "6", "--workers", "2",
             "--mix", "register", "--for", "4s", "--json"],
            expect=1,
        )  # fmt: skip
    document = json.loads(done.stdout)
    assert row(document, "register")["count"] == 6
    assert row(document, "tls")["count"] == 6
    (failure,) = document["failures"]  # the one with another password
    assert (failure["code"], failure["count"]) == ("load.sip_refused", 1)


@pytest.mark.peer("slapd")
async def test_phones_of_a_load_look_names_up_in_the_directory_of_their_configuration(
    place: Place, tmp_path: Path
) -> None:
    pem, key = place.identity(place.phone)
    table = tmp_path / "phones.csv"
    table.write_text(f"mac,identity,key\n{place.phone},{pem},{key}\n")
    async with directory(place) as book, place.serving() as server:
        given = {
            "ldap_server": NAME, "ldap_port": str(book.port), "ldap_over_tls": "on",
            "ldap_base": "dc=phonebook", "ldap_search_filter": "(|(cn=%*)(sn=%*))",
            "ldap_number_filter": "(telephoneNumber=%*)", "ldap_display_name": "%cn",
            "ldap_name_attributes": "cn sn", "ldap_number_attributes": "telephoneNumber",
            "ldap_username": "cn=reader,dc=phonebook", "ldap_password": "geheim",
        }  # fmt: skip
        settings = [Setting(name, value) for name, value in given.items()]
        Devices(place.database).change(
            place.phone,
            lambda device: replace(device, layer=device.layer.with_settings(*settings)),
            utc_now(),
        )
        done = await asyncio.to_thread(
            run,
            [*LINEKEY, "load", "--server", server.url, "--phones-from", str(table),
             "--trust", str(place.lab.server_root_path), "--phones", "1",
             "--workers", "1", "--mix", "boot,lookup", "--think", "1s", "--for", "5s",
             "--json"],
        )  # fmt: skip
        asked = book.log().count(" SRCH base=")
    document = json.loads(done.stdout)
    assert row(document, "boot")["count"] == 1
    assert 2 <= row(document, "lookup")["count"] <= asked
