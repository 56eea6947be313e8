"""docs/howto/install.md, run to the letter on a machine with a real systemd, and what
its units do there: start, reload, a worker that hangs, wrong settings, stop.

One machine for all of it (``systemd_machine``); the server is the wheel, installed as
the page has it. Only what lies in packages that linekey needs comes from this machine.
"""

import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import PASSWORD, PHONE
from tests.live.systemd_machine import Machine, NoMachineError, machine
from tests.live.test_wheel import ROOT, run

from linekey.certs.certificate import Certificate
from linekey.certs.pem import parse_bundle, private_key_to_pem, to_pem
from linekey.cli.serve import PAUSE_S
from linekey.lab.server_ca import issue_server
from linekey.server.server import utc_now

pytestmark = [
    pytest.mark.peer("systemd"), pytest.mark.peer("openssl"), pytest.mark.peer("curl"),
]  # fmt: skip

PAGE = ROOT / "docs" / "howto" / "install.md"
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAME = "prov.example.com"
UNIT = "linekey.service"
WATCH = "linekey-export-watch.service"
STATE = "/var/lib/linekey"
NO_INDEX = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}  # fmt: skip
EXPOSURE = 25
"""What ``systemd-analyze security`` gives at most, in tenths: 100 is no protection."""


def commands(heading: str) -> list[str]:
    """The commands of one section of the page."""
    _, _, section = PAGE.read_text("utf-8").partition(f"\n## {heading}")
    section = section.partition("\n## ")[0]
    found = "".join(BLOCK.findall(section))
    return [line[2:] for line in found.splitlines() if line.startswith("# ")]


@dataclass
class World:
    """The machine, and what its operator has."""

    machine: Machine
    lab: Any
    said: dict[str, str] = field(default_factory=dict)
    """What each of the page's commands printed."""

    def follow(self, heading: str) -> None:
        """Run a section of the page."""
        for command in commands(heading):
            self.run(command)

    def run(self, command: str) -> None:
        """Run one of the page's commands."""
        self.said[command] = self.machine.must(command, shell=True, **NO_INDEX)

    def linekey(self, *words: str) -> str:
        """Run linekey on the state folder, as root does."""
        return self.machine.must("linekey", *words, "--state", STATE)

    def fetch(self) -> str:
        """The phone's file, as curl with the phone's certificate gets it."""
        return self.machine.must(
            "curl", "-sS", "--max-time", "30", "--cacert", "lab-root.pem",
            "--cert", "phone.pem", "--key", "phone.key",
            "--resolve", f"{NAME}:443:127.0.0.1", f"https://{NAME}/snomD785-{PHONE}.htm",
        )  # fmt: skip

    def shown_certificate(self) -> Certificate:
        """The server's certificate, as openssl has it from the handshake."""
        said = self.machine.must(
            f"openssl s_client -connect 127.0.0.1:443 -servername {NAME} "
            "-cert phone.pem -key phone.key </dev/null 2>&1", shell=True,
        )  # fmt: skip
        found = re.search(r"-----BEGIN.*?-----END CERTIFICATE-----\n", said, re.DOTALL)
        assert found is not None, said
        return parse_bundle(found[0].encode()).certificates[0]

    def new_certificate(self, name: str = NAME) -> Certificate:
        """Put a renewed certificate and key where the server reads them, by root."""
        _, key = self.lab.server_identity()
        leaf = issue_server([name], key, self.lab.server, now=utc_now())
        (self.machine.shared / "renewed.pem").write_text(to_pem(leaf))
        self.machine.must("install", "-m", "644", "renewed.pem", "/etc/linekey/server.pem")  # fmt: skip
        return leaf

    def main_pid(self) -> int:
        found = int(self.machine.shows(UNIT, "MainPID"))
        assert found, self.machine.journal()  # 0 would be everybody, for kill
        return found

    def workers(self) -> list[int]:
        """Process ids of the workers, as the machine counts them."""
        listed = self.machine.must("pgrep", "-f", "spawn_main", "-P", str(self.main_pid()))  # fmt: skip
        return [int(pid) for pid in listed.split()]

    def told(self, pattern: str) -> str:
        """What ``systemctl status`` says, as soon as it is this."""
        return self.machine.until(UNIT, "StatusText", pattern)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, shared_lab: Any) -> Iterator[World]:
    """The page, up to a server that has started."""
    try:
        with machine(tmp_path_factory.mktemp("machine")) as found:
            yield set_up(World(found, shared_lab))
    except NoMachineError as error:
        if os.environ.get("CI") == "true" and os.geteuid() == 0:
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


def set_up(world: World) -> World:
    shared, lab = world.machine.shared, world.lab
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(shared), cwd=ROOT)  # fmt: skip
    _, key = lab.server_identity()
    leaf = issue_server([NAME], key, lab.server, now=utc_now())
    (shared / "chain.pem").write_text(to_pem(leaf))
    (shared / "key.pem").write_bytes(private_key_to_pem(key))
    (shared / "lab-root.pem").write_bytes(lab.server_root_path.read_bytes())
    make_phone(world)
    (shared / "phones.csv").write_text(
        f"mac,vendor,model,firmware,user_pass[1]\n{PHONE},snom,D785,10.1.33.33,{PASSWORD}\n"
    )
    venv, pip, link = commands("1. The package, in /opt")
    world.machine.must(venv, shell=True)
    # The packages that linekey needs, which pip has from its index otherwise.
    site = world.machine.must("echo /opt/linekey/lib/python3*/site-packages", shell=True)  # fmt: skip
    world.machine.must(f"echo /opt/packages > {site.strip()}/packages.pth", shell=True)
    for command in (pip, link):
        world.run(command)
    world.follow("2. User, folders, configuration, units")
    # Both shorter than in the unit, so that the tests need not wait as long.
    world.machine.must(
        "mkdir -p /etc/systemd/system/linekey.service.d && "
        "printf '[Service]\\nWatchdogSec=10\\nRestartSec=200ms\\n'"
        " > /etc/systemd/system/linekey.service.d/test.conf"
        f" && sed -i 's/^workers = .*/workers = 2/' {STATE}/linekey.toml", shell=True,
    )  # fmt: skip
    (ca,) = parse_bundle((shared / "vendor-cas.pem").read_bytes()).certificates
    for command in commands("3. Vendor CAs, phones, start"):
        if command.startswith("systemctl enable"):
            # The page's vendor is in linekey's catalogue; this one's rule has to be
            # said, and before the start: each worker reads a change at its own time.
            world.linekey("trust", "set", ca.sha256[:16], "--rule", "cn-mac")
        world.run(command)
    return world


def make_phone(world: World) -> None:
    """A CA as a vendor has one, and a phone's certificate from it, by openssl."""
    (world.machine.shared / "extensions").write_text(
        "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n"
        "extendedKeyUsage=clientAuth\n"
    )
    for words in (
        "req -x509 -newkey rsa:2048 -nodes -days 400 -keyout ca.key -out vendor-cas.pem "
        "-subj '/O=Example/CN=Example Phones' -addext keyUsage=critical,keyCertSign",
        "req -newkey rsa:2048 -nodes -keyout phone.key -out phone.csr "
        f"-subj /O=Example/CN={PHONE}",
        "x509 -req -in phone.csr -CA vendor-cas.pem -CAkey ca.key -CAcreateserial "
        "-days 300 -sha256 -extfile extensions -out phone.pem",
    ):
        world.machine.must(f"openssl {words}", shell=True)


def test_the_page_ends_with_a_server_that_serves(world: World) -> None:
    assert PASSWORD in world.fetch()
    assert world.machine.shows(UNIT, "Type") == "notify"
    world.told("^serving: 2 workers, 1 phone registered, certificate until 20")
    assert len(world.workers()) == 2
    status = Path(f"/proc/{world.machine.pid}/root/proc/{world.main_pid()}/status")
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    assert set(lines["Uid"].split()) != {"0"}
    assert int(lines["CapEff"], 16) == 1 << 10  # CAP_NET_BIND_SERVICE alone
    assert lines["NoNewPrivs"].strip() == "1"


def test_a_dry_run_made_nothing_and_a_second_run_makes_nothing(world: World) -> None:
    dry, real = commands("2. User, folders, configuration, units")
    assert "would make: user linekey" in world.said[dry]
    assert "made: user linekey" in world.said[real]  # so the first had not
    owner = "stat -c '%U %a %n' /etc/linekey /etc/linekey/* /var/lib/linekey"
    assert world.machine.must(owner, shell=True).splitlines() == [
        "root 755 /etc/linekey", "linekey 600 /etc/linekey/server.key",
        "root 644 /etc/linekey/server.pem", "linekey 700 /var/lib/linekey",
    ]  # fmt: skip
    again = world.machine.must("linekey", "init")
    assert "nothing is to be done" in again
    for command in again.splitlines()[-3:-1]:
        verb = command.split()[1:3]
        assert any(line.split()[1:3] == verb for line in world.said if line), command


def test_a_changed_unit_stays_and_a_folder_of_another_user_is_not_taken(
    world: World,
) -> None:
    unit = f"/etc/systemd/system/{WATCH}"
    world.machine.must(f"cp -p {unit} kept && echo '# mine' >> {unit}", shell=True)
    said = world.machine.must("linekey", "init")
    assert "is not as linekey init writes it, and stays" in said
    assert world.machine.must("tail", "-1", unit) == "# mine\n"
    world.machine.must("rm", unit)
    assert "made: let systemd read its units" in world.machine.must("linekey", "init")
    world.machine.must("cmp", unit, "kept")
    world.machine.must("chown nobody /etc/linekey", shell=True)
    refused = world.machine.run("linekey", "init")
    world.machine.must("chown root /etc/linekey", shell=True)
    assert refused.code == 3
    assert "'/etc/linekey' belongs to nobody, not to root" in refused.said
    as_nobody = world.machine.run("setpriv", "--reuid=nobody", "--clear-groups", "linekey", "init")  # fmt: skip
    assert as_nobody.code == 3
    assert "only root can make a user" in as_nobody.said


def test_a_program_that_the_service_could_not_see_is_refused(world: World) -> None:
    words = "mkdir -p /root/x && cp -a /opt/linekey/. /root/x/ && /root/x/bin/python3 "
    said = world.machine.run(f"{words} /root/x/bin/linekey init; rm -r /root/x", shell=True)  # fmt: skip
    assert "the service could not see '/root/x/bin/linekey'" in said.said


def test_systemd_finds_the_units_sound_and_closed(world: World) -> None:
    assert (
        world.machine.must("systemd-analyze", "verify", UNIT, WATCH, "linekey.socket")
        == ""
    )
    world.machine.must("systemd-analyze", "security", f"--threshold={EXPOSURE}", UNIT)
    open_one = world.machine.run("systemd-analyze", "security", "--threshold=1", UNIT)
    assert open_one.code != 0  # so the threshold is one


def test_a_reload_takes_a_renewed_certificate_and_refuses_an_unfit_one(
    world: World,
) -> None:
    main, restarts = world.main_pid(), world.machine.shows(UNIT, "NRestarts")
    leaf = world.new_certificate()
    world.machine.must("systemctl", "reload", UNIT)
    world.machine.until(UNIT, "ActiveState", "^active$")
    world.told("^serving: 2 workers")
    for _ in range(6):  # whichever worker accepts
        assert world.shown_certificate() == leaf
    world.new_certificate("another.example.com")
    refused = world.machine.run("systemctl", "reload", UNIT)
    assert refused.code != 0
    assert "is not for 'prov.example.com'" in world.machine.journal()
    # Who sends the signal by hand reads in the status why nothing changed.
    world.machine.must("systemctl", "kill", "--kill-who=main", "-s", "HUP", UNIT)
    world.told(
        "^kept the old certificate: .* is not for 'prov.example.com': .*; serving"
    )
    assert world.shown_certificate() == leaf
    assert PASSWORD in world.fetch()
    world.new_certificate()
    world.machine.must("systemctl", "reload", UNIT)
    world.told("^serving")
    assert (world.main_pid(), world.machine.shows(UNIT, "NRestarts")) == (main, restarts)  # fmt: skip


def test_a_worker_that_dies_is_replaced_and_the_service_goes_on(world: World) -> None:
    main, (one, other) = world.main_pid(), world.workers()
    world.machine.must("kill", "-KILL", str(one))
    assert PASSWORD in world.fetch()
    world.told("^serving: 2 workers")
    assert world.main_pid() == main
    assert other in world.workers()


@pytest.mark.parametrize("which", ["a worker", "the process that systemd started"])
def test_what_hangs_has_the_service_restarted(world: World, which: str) -> None:
    main, restarts = world.main_pid(), int(world.machine.shows(UNIT, "NRestarts"))
    hanging = world.workers()[0] if which == "a worker" else main
    world.machine.must("kill", "-STOP", str(hanging))
    world.machine.until(UNIT, "NRestarts", f"^{restarts + 1}$")
    world.machine.until(UNIT, "ActiveState", "^active$")
    assert world.main_pid() != main
    assert PASSWORD in world.fetch()
    assert world.machine.run("kill", "-0", str(hanging)).code != 0
    said = world.machine.must("journalctl", "-u", UNIT, "-o", "cat", "--no-pager")
    assert "Watchdog timeout" in said


def test_what_dies_is_started_again(world: World) -> None:
    restarts = int(world.machine.shows(UNIT, "NRestarts"))
    world.machine.must("kill", "-KILL", str(world.main_pid()))
    world.machine.until(UNIT, "NRestarts", f"^{restarts + 1}$")
    world.machine.until(UNIT, "ActiveState", "^active$")
    assert PASSWORD in world.fetch()


def test_exports_follow_the_registry_as_a_service(world: World) -> None:
    world.machine.must(
        "linekey", "export", "nginx", "--out", "/etc/linekey/nginx", "--name", NAME,
        "--files", "/srv/phones",
        "--certificate", "/etc/linekey/server.pem", "--key", "/etc/linekey/server.key",
        "--state", STATE,
    )  # fmt: skip
    world.machine.must("systemctl", "start", WATCH)
    listed = "/etc/linekey/nginx/active-phones.map"
    before = world.machine.must("ls /etc/linekey/nginx; cat /etc/linekey/nginx/*phones* || true", shell=True)  # fmt: skip
    world.linekey(
        "device", "add", "000413AABBDD", "--vendor", "snom", "--model", "D785"
    )
    told = "until grep -rqi 000413aabbdd /etc/linekey/nginx; do sleep 0.3; done"
    world.machine.must("timeout", "60", "sh", "-c", told)
    assert "000413aabbdd" not in before.lower(), listed
    assert world.machine.shows(WATCH, "ActiveState") == "active"
    world.machine.must("systemctl", "stop", WATCH)
    assert world.machine.shows(WATCH, "Result") == "success"


def test_with_the_socket_unit_no_phone_notices_a_restart(world: World) -> None:
    """A phone asks all the time, one connection after the other, while the service is
    started anew, by systemd that keeps the socket."""
    one = (
        f"curl -sS --max-time 60 --cacert lab-root.pem --cert phone.pem --key phone.key "
        f"--resolve {NAME}:443:127.0.0.1 https://{NAME}/snomD785-{PHONE}.htm"
    )
    asking = (
        f"while [ ! -e stop ]; do {one} >answer 2>>said && grep -q {PASSWORD} answer "
        "&& echo served >>asked || echo failed >>asked; done"
    )
    world.machine.must("systemctl", "stop", UNIT)
    world.machine.must("systemctl", "enable", "--now", "linekey.socket")
    world.machine.must("systemctl", "start", UNIT)
    world.told("^serving: 2 workers")
    assert "on the socket that the service manager keeps" in world.machine.journal()
    world.machine.must(f"rm -f stop asked said; ({asking}) </dev/null >/dev/null 2>&1 & echo $! >asker", shell=True)  # fmt: skip
    more = "n=$(cat asked 2>/dev/null | wc -l); until [ $(cat asked 2>/dev/null | wc -l) -gt $((n + 3)) ]; do sleep 0.1; done"  # fmt: skip
    try:
        for _ in range(3):
            world.machine.must("timeout", "60", "sh", "-c", more)
            before = world.main_pid()
            world.machine.must("systemctl", "restart", UNIT)
            assert world.main_pid() != before
        world.machine.must("timeout", "60", "sh", "-c", more)
    finally:
        world.machine.must("touch stop; timeout 90 tail --pid=$(cat asker) -f /dev/null", shell=True)  # fmt: skip
    asked = world.machine.must("cat", "asked").split()
    assert len(asked) > 12
    assert set(asked) == {"served"}, world.machine.must("cat", "said")
    world.machine.must("systemctl", "disable", "--now", "linekey.socket")
    world.machine.must("systemctl", "restart", UNIT)
    assert PASSWORD in world.fetch()


def test_with_the_socket_unit_and_wrong_settings_phones_wait_and_starts_are_few(
    world: World,
) -> None:
    """What waits in the backlog has systemd start the service again and again: every few
    seconds, without an end, and the phone that waits is served once all is well."""
    starts = f"journalctl -u {UNIT} -o cat --no-pager -n 1000 | grep -c '^not started: ' || true"
    world.machine.must("systemctl", "stop", UNIT)
    world.machine.must("systemctl", "enable", "--now", "linekey.socket")
    world.machine.must(f"echo 'colour = 1' >> {STATE}/linekey.toml", shell=True)
    try:
        assert world.machine.run("systemctl", "start", UNIT).code != 0
        assert world.machine.shows(UNIT, "ExecMainStatus") == "2"
        assert "colour" in world.machine.shows(UNIT, "StatusText")
        before = int(world.machine.must(starts, shell=True))
        assert before >= 1
        began = time.monotonic()
        world.machine.must(
            "rm -f answer ended; (curl -sS --max-time 80 --cacert lab-root.pem"
            " --cert phone.pem --key phone.key"
            f" --resolve {NAME}:443:127.0.0.1 https://{NAME}/snomD785-{PHONE}.htm"
            " >answer 2>&1; echo $? >ended) </dev/null >/dev/null 2>&1 &", shell=True,
        )  # fmt: skip
        wanted = f"until [ $({starts}) -ge {before + 3} ]; do sleep 0.2; done"
        world.machine.must("timeout", "60", "sh", "-c", wanted)
        # Three starts, the pauses after the first two of them whole.
        assert time.monotonic() - began > 2 * PAUSE_S
        assert world.machine.shows("linekey.socket", "ActiveState") == "active"
        assert world.machine.shows("linekey.socket", "Result") == "success"
    finally:
        world.machine.must(f"sed -i '/^colour/d' {STATE}/linekey.toml", shell=True)
    # Nobody starts it now but the phone that waits.
    world.machine.must(
        "timeout", "80", "sh", "-c", "until [ -e ended ]; do sleep 0.2; done"
    )
    assert PASSWORD in world.machine.must("cat", "answer")
    assert world.machine.must("cat", "ended") == "0\n"
    world.machine.must("systemctl", "disable", "--now", "linekey.socket")
    world.machine.must("systemctl", "restart", UNIT)
    assert PASSWORD in world.fetch()


def test_it_stops_in_order(world: World) -> None:
    world.machine.must("systemctl", "stop", UNIT)
    assert world.machine.shows(UNIT, "Result") == "success"
    assert world.machine.shows(UNIT, "ExecMainStatus") == "0"
    said = world.machine.must("journalctl", "-u", UNIT, "-n", "20", "-o", "cat", "--no-pager")  # fmt: skip
    assert "shut down cleanly" in said
    assert PASSWORD not in world.machine.must("journalctl", "-o", "cat", "--no-pager")


def test_wrong_settings_end_it_and_are_not_tried_again(world: World) -> None:
    world.machine.must(f"echo 'colour = 1' >> {STATE}/linekey.toml", shell=True)
    assert world.machine.run("systemctl", "restart", UNIT).code != 0
    assert world.machine.shows(UNIT, "ActiveState") == "failed"
    assert world.machine.shows(UNIT, "ExecMainStatus") == "2"
    assert "colour'" in world.machine.shows(UNIT, "StatusText")
    world.machine.must(f"sed -i '/^colour/d' {STATE}/linekey.toml", shell=True)
    world.machine.must("systemctl", "start", UNIT)
    assert PASSWORD in world.fetch()


def test_behind_a_proxy_only_its_group_reaches_the_socket(world: World) -> None:
    text = (ROOT / "docs/howto/production.md").read_text("utf-8")
    section = text.partition("### Behind nginx, HAProxy or Apache")[2].partition("\n## ")[0]  # fmt: skip
    settings, unit = (
        re.sub(r"(?m)^    ", "", found)
        for found in re.findall(
            r"(?m)^(    \[(?:proxy|Service)\]\n(?:    .+\n)+)", section
        )
    )
    (world.machine.shared / "proxy.toml").write_text(settings)
    (world.machine.shared / "proxy.conf").write_text(unit)
    world.machine.must(
        f"cp -p {STATE}/linekey.toml kept.toml && cat proxy.toml >> {STATE}/linekey.toml"
        " && cp proxy.conf /etc/systemd/system/linekey.service.d/"
        " && systemctl daemon-reload && systemctl restart linekey", shell=True,
    )  # fmt: skip
    owned = world.machine.must("stat", "-c", "%U:%G %a", "/run/linekey/linekey.sock")
    assert owned == "linekey:www-data 660\n"
    world.machine.must("systemctl", "reload", UNIT)
    world.machine.must(
        f"cat kept.toml > {STATE}/linekey.toml"
        " && rm /etc/systemd/system/linekey.service.d/proxy.conf"
        " && systemctl daemon-reload && systemctl restart linekey", shell=True,
    )  # fmt: skip
    assert PASSWORD in world.fetch()


def test_an_upgrade_by_the_page_goes_on_with_the_same_registry(world: World) -> None:
    world.follow("Upgrade")
    assert PASSWORD in world.fetch()
