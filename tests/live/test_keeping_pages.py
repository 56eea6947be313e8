"""The pages on keeping linekey are run to the letter, one after another, as one story.

A mount namespace of its own has /var/lib/linekey, /opt/linekey, /var/backups, /root and
the user ``linekey``; the machine's own are not touched. In the place of systemctl and pip
there are two scripts: one runs ``linekey serve`` as the unit does (the unit is tested
under systemd elsewhere), the other changes between this linekey and a newer one, which is
this one with one more migration.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import PASSWORD, PHONE
from tests.postgres import Cluster

from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.store.schema import HEAD

ROOT = Path(__file__).parents[2]
HOWTO = ROOT / "docs" / "howto"
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)

pytestmark = [
    pytest.mark.peer("network namespaces"),
    pytest.mark.peer("postgres"),
    pytest.mark.peer("curl"),
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root"),
]

SYSTEMCTL = """#!/bin/sh
set -e
pid=/opt/linekey/serve.pid
start() {
  : >/opt/linekey/serve.log  # or the last start's line would be found
  runuser -u linekey -- linekey serve --state /var/lib/linekey >/dev/null 2>/opt/linekey/serve.log &
  echo $! > $pid
  until grep -q Ctrl-C /opt/linekey/serve.log; do kill -0 $! || { cat /opt/linekey/serve.log; exit 1; }; sleep 0.1; done
}
stop() { if [ -e $pid ]; then pkill -TERM -P $(cat $pid) || true; while kill -0 $(cat $pid) 2>/dev/null; do sleep 0.1; done; rm $pid; fi; }
case "$1 $2" in
  "start linekey") start ;;
  "stop linekey") stop ;;
  "restart linekey") stop; start ;;
  *) echo "systemctl $*: not here" >&2; exit 1 ;;
esac
"""
PIP = """#!/bin/sh
set -e
case "$*" in
  "install --upgrade linekey") ln -sfn newer /opt/linekey/src ;;
  "install linekey==0.1.0") ln -sfn this /opt/linekey/src ;;
  *) echo "pip $*: not here" >&2; exit 1 ;;
esac
"""
LINEKEY = """#!/bin/sh
PYTHONPATH=/opt/linekey/src:/opt/linekey/site PYTHONDONTWRITEBYTECODE=1 \\
  LD_LIBRARY_PATH=/opt/linekey/python/lib \\
  exec /opt/linekey/python/bin/python3 -c "from linekey.cli.main import main; main()" "$@"
"""
LATER = '''"""One step that this linekey does not know."""

import sqlalchemy as sa
from alembic import op

revision = "v9999"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make a table."""
    op.create_table("later", sa.Column("name", sa.String(8), primary_key=True))
'''


def steps(page: str) -> list[str]:
    """Each command of a page's console blocks."""
    found = []
    for block in BLOCK.findall((HOWTO / f"{page}.md").read_text(encoding="utf-8")):
        found += re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [command.rstrip("\n") for command in found]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def make_newer(folder: Path) -> None:
    """This linekey with one more migration."""
    shutil.copytree(
        ROOT / "src" / "linekey",
        folder / "newer" / "linekey",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    shutil.copytree(
        ROOT / "src" / "linekey",
        folder / "this" / "linekey",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    store = folder / "newer" / "linekey" / "store"
    schema = store / "schema.py"
    schema.write_text(schema.read_text().replace(f'HEAD = "{HEAD}"', 'HEAD = "v9999"'))
    later = store / "migrations" / "versions" / "v9999_later.py"
    later.write_text(LATER.format(head=HEAD))


SETUP = """
set -eu
mount -t tmpfs tmpfs /var/backups
mount -t tmpfs tmpfs /opt
mkdir -p /opt/linekey/bin /opt/linekey/python /opt/linekey/site
mount --bind {python} /opt/linekey/python
mount --bind {site} /opt/linekey/site
cp -r {work}/src/. /opt/linekey/
ln -s this /opt/linekey/src
cp {work}/bin/* /opt/linekey/bin/
chmod 755 /opt/linekey/bin/*
cp /etc/passwd /opt/passwd
cp /etc/group /opt/group
echo 'linekey:x:64123:64123::/var/lib/linekey:/usr/sbin/nologin' >> /opt/passwd
echo 'linekey:x:64123:' >> /opt/group
mount --bind /opt/passwd /etc/passwd
mount --bind /opt/group /etc/group
mkdir -p {work}/lib
mount --bind {work}/lib /var/lib
mkdir /var/lib/linekey
cp -r {state}/. /var/lib/linekey/
chown -R linekey: /var/lib/linekey
chmod 700 /var/lib/linekey
mount -t tmpfs tmpfs /root
export PATH=/opt/linekey/bin:$PATH HOME=/root PGHOST={socket}
"""


class Machine:
    """The state folder of a server with a phone, and what is run on that machine."""

    def __init__(self, place: Any, folder: Path) -> None:
        port = free_port()
        self.state = place.state.root
        chain, key = place.lab.server_identity()
        (self.state / "server.pem").write_text("".join(map(to_pem, chain)))
        (self.state / "server.key").write_bytes(private_key_to_pem(key))
        (self.state / "server.key").chmod(0o600)
        (self.state / "linekey.toml").write_text(
            f'host = "127.0.0.1"\nport = {port}\ncertificate = "server.pem"\n'
            'key = "server.key"\n[status]\nport = 0\n'
        )
        device, device_key = place.identity(PHONE)
        place.database.close()
        self.work = folder / "work"
        (self.work / "bin").mkdir(parents=True)
        for name, text in (
            ("systemctl", SYSTEMCTL),
            ("pip", PIP),
            ("linekey", LINEKEY),
        ):
            (self.work / "bin" / name).write_text(text)
        make_newer(self.work / "src")
        self.fetch = (
            f"curl -sS --max-time 15 --noproxy '*' --cacert {place.lab.server_root_path}"
            f" --cert {device} --key {device_key}"
            f" https://127.0.0.1:{port}/snomD785-{PHONE}.htm | grep -q {PASSWORD}"
        )
        """The phone gets its file, with its password."""
        self.show = f"linekey device show {PHONE} --state /var/lib/linekey"

    def runs(self, story: list[str], socket: Path | None = None) -> None:
        """Run all of it; the first command that fails is told with what it said."""
        script = SETUP.format(
            python=sys.base_prefix, site=sysconfig.get_path("purelib"),
            work=self.work, state=self.state, socket=socket or "/nonexistent",
        )  # fmt: skip
        at, out = self.work / "at", self.work / "out"
        for number, command in enumerate(story):
            script += (
                f"echo {number} > {at}\n"
                f"{{ {command}\n}} > {out} 2>&1 < /dev/null || exit 9\n"
            )
        done = subprocess.run(
            ["unshare", "-m", "-p", "--fork", "--kill-child", "--mount-proc", "bash",
             "-c", script],
            cwd="/", capture_output=True, text=True, timeout=900,
        )  # fmt: skip
        said = out.read_text() if out.exists() else ""
        last = story[int(at.read_text())] if at.exists() else "the set-up"
        assert done.returncode == 0, f"{last}\n{said}\n{done.stderr}"


@pytest.fixture
def machine(place: Any, tmp_path: Path) -> Machine:
    return Machine(place, tmp_path)


def test_back_up_upgrade_roll_back_and_restore(machine: Machine) -> None:
    newest = "ls -t /var/backups/linekey/linekey-*.tar | head -1"
    status = "linekey database status --state /var/lib/linekey"
    machine.runs([
        "systemctl start linekey",
        *steps("backup"),
        f"cp $({newest}) /var/backups/linekey/linekey-20261129T023000Z.tar",
        f"linekey device set {PHONE} --label later --state /var/lib/linekey",
        *steps("upgrade"), f"{status} | grep v9999", machine.fetch,
        *steps("roll-back"), f"{status} | grep '{HEAD} (of this'", machine.fetch,
        f"{machine.show} | grep later",
        *steps("restore"), machine.fetch, f"! {machine.show} | grep later",
        "systemctl stop linekey",
    ])  # fmt: skip


def test_an_older_linekey_refuses_what_the_newer_one_made(machine: Machine) -> None:
    machine.runs([
        "/opt/linekey/bin/pip install --upgrade linekey",
        machine.show,
        "/opt/linekey/bin/pip install linekey==0.1.0",
        f"{machine.show} 2>&1 | grep 'made by a newer linekey (schema .v9999.'",
    ])  # fmt: skip


def test_move_to_another_machine(machine: Machine) -> None:
    commands = steps("move")
    machine.runs([
        "systemctl start linekey",
        "install -d -m 700 -o linekey -g linekey /var/backups/linekey",
        *before(commands, "linekey restore"),
        "mv /var/lib/linekey /var/lib/elsewhere",
        "install -d -m 700 -o linekey -g linekey /var/lib/linekey",
        "cp /var/backups/linekey/move.tar /root/move.tar",
        *after(commands, "linekey restore"), machine.fetch,
        "systemctl stop linekey",
    ])  # fmt: skip


def test_from_sqlite_to_postgresql_and_back(machine: Machine) -> None:
    commands = steps("to-postgresql")
    back = "linekey database copy --to sqlite"
    revoke = f"linekey device revoke {PHONE} --reason test --state /var/lib/linekey"
    with postgres_cluster() as cluster:
        machine.runs(
            [
                "systemctl start linekey",
                *before(commands, back), machine.fetch,
                f"runuser -u linekey -- {revoke}", f"! {machine.fetch}",
                *after(commands, back), f"! {machine.fetch}",
                f"{machine.show} | grep revoked",
                "systemctl stop linekey",
            ],
            cluster.root,
        )  # fmt: skip


def before(commands: list[str], what: str) -> list[str]:
    """Up to the command that has ``what`` in it, without the stop before that."""
    at = next(n for n, command in enumerate(commands) if what in command)
    return (
        commands[: at - 1]
        if commands[at - 1].endswith("stop linekey")
        else commands[:at]
    )


def after(commands: list[str], what: str) -> list[str]:
    """The rest of them."""
    return commands[len(before(commands, what)) :]


@contextlib.contextmanager
def postgres_cluster() -> Iterator[Cluster]:
    """A cluster whose superuser is postgres, as a distribution makes it."""
    with tempfile.TemporaryDirectory(prefix="lk-pg-") as name:
        cluster = Cluster(Path(name))
        shutil.chown(name, "nobody")
        cluster.root.chmod(0o755)
        cluster.run(
            "initdb", "-D", f"{name}/data", "-U", "postgres", "-A", "trust", "-E", "UTF8",
            "--locale=C", "--no-sync",
        )  # fmt: skip
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()
