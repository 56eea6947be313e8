"""A machine with a real systemd as its first process, over a copy-on-write of this one.

It has process ids, mounts, network, control groups and a host name of its own; nothing
that is done in it touches this machine. It is started by ``unshare``, and ended with its
first process, by that one's pid: the kernel then ends all others in it.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

GUARD_S = 90
"""Only so that a failure does not hang."""

PATH = "/opt/python/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

BOOT = """\
set -eu
root=$1/root; shared=$2; packages=$3; python=${4:-}
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$root"
cd "$root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
for at in run dev; do mount -t tmpfs -o mode=755 tmpfs $at; done
mount -t tmpfs -o mode=1777 tmpfs tmp
for node in null zero full random urandom tty; do
  touch dev/$node; mount --bind /dev/$node dev/$node
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for n in 0 1 2; do ln -s fd/$n dev/$(echo stdin stdout stderr | cut -d' ' -f$((n+1))); done
mkdir -p srv/shared opt/packages before
mount --bind "$shared" srv/shared
mount --bind -o ro "$packages" opt/packages
if [ -n "$python" ]; then mkdir opt/python; mount --bind -o ro "$python" opt/python; fi
rm -rf etc/systemd/system/*.wants opt/linekey etc/linekey var/lib/linekey
echo machine > etc/hostname
pivot_root . before
umount -l /before
exec env -i container=linekey-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
  /lib/systemd/systemd --unit=basic.target --log-target=journal --show-status=0
"""


@dataclass(frozen=True)
class Ran:
    """What a program in the machine said."""

    code: int
    said: str


class NoMachineError(Exception):
    """There can be none here; the message says why."""


@dataclass
class Machine:
    """It runs. ``shared`` is a folder of this machine, and ``/srv/shared`` in it."""

    pid: int
    shared: Path

    def run(self, *words: str, shell: bool = False, **environment: str) -> Ran:
        """Run a program in it, as its root, in ``/srv/shared``."""
        command = ["sh", "-c", words[0]] if shell else list(words)
        given = {"PATH": PATH, "LANG": "C.UTF-8", **environment}  # fmt: skip
        ran = subprocess.run(
            ["nsenter", "-t", str(self.pid), "-a", "env", "-i", "-C", "/srv/shared",
             *(f"{k}={v}" for k, v in given.items()), *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=GUARD_S, start_new_session=True,
        )  # fmt: skip
        return Ran(ran.returncode, ran.stdout.decode("utf-8", "replace"))

    def must(self, *words: str, shell: bool = False, **environment: str) -> str:
        """Run it; it has to succeed."""
        ran = self.run(*words, shell=shell, **environment)
        assert ran.code == 0, f"{words}: {ran.said}\n{self.journal()}"
        return ran.said

    def shows(self, unit: str, name: str) -> str:
        """A property of a unit, as ``systemctl show`` has it."""
        return self.must("systemctl", "show", "--value", "-p", name, unit).strip()

    def until(self, unit: str, name: str, pattern: str) -> str:
        """Wait until a property of a unit is as it should be."""
        ends = time.monotonic() + GUARD_S
        while not re.search(pattern, found := self.shows(unit, name)):
            if time.monotonic() > ends:
                raise AssertionError(f"{name} of {unit} is {found!r}\n{self.journal()}")
            time.sleep(0.2)
        return found

    def journal(self) -> str:
        """The last lines of linekey's units."""
        words = ("-n", "60", "--no-pager", "-o", "cat", "-u", "linekey*")
        return self.run("journalctl", *words).said


def _cgroup2() -> Path:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup2" and "rw" in options.split(","):
            return Path(where)
    raise NoMachineError("no cgroup2 file system is mounted here")


def _python() -> str:
    """This Python's folder, where the system has none of its version; else nothing."""
    ask = "import sys; print(sys.version_info[:2])"
    ran = subprocess.run(
        ["/usr/bin/python3", "-c", ask], capture_output=True, text=True
    )
    return "" if ran.stdout.strip() == str(sys.version_info[:2]) else sys.base_prefix


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """Start it. Raises NoMachineError where this user may not, or the kernel cannot."""
    if os.geteuid() != 0:
        raise NoMachineError("only root can start another systemd")
    group = _cgroup2() / f"linekey-test-{os.getpid()}"
    (place := folder / "place").mkdir()
    (shared := folder / "shared").mkdir()
    folder.chmod(0o755)
    (folder / "boot").write_text(BOOT)
    packages = next(p for p in sys.path if p.endswith("site-packages"))
    try:
        group.mkdir()
    except OSError as error:
        raise NoMachineError(f"no control group can be made: {error}") from None
    log = (folder / "boot.log").open("wb")
    starter = subprocess.Popen(
        ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(group),
         "unshare", "--mount", "--pid", "--fork", "--uts", "--ipc", "--net", "--cgroup",
         "--kill-child", "sh", str(folder / "boot"), str(place), str(shared), packages,
         _python()],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
    )  # fmt: skip
    try:
        yield Machine(_first_process(starter, folder / "boot.log"), shared)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(starter.pid, signal.SIGKILL)  # and, by --kill-child, the first one
        starter.wait(GUARD_S)
        log.close()
        _remove(group)
        shutil.rmtree(shared, ignore_errors=True)


def _first_process(starter: subprocess.Popen[bytes], log: Path) -> int:
    """Its pid, once systemd takes commands."""
    children = Path(f"/proc/{starter.pid}/task/{starter.pid}/children")
    ends = time.monotonic() + GUARD_S
    while time.monotonic() < ends:
        if starter.poll() is not None:
            raise NoMachineError(log.read_text("utf-8", "replace").strip()[-300:])
        with contextlib.suppress(OSError, IndexError, subprocess.TimeoutExpired):
            pid = int(children.read_text().split()[0])
            if "systemd" in Path(f"/proc/{pid}/cmdline").read_text():
                here = [
                    "nsenter",
                    "-t",
                    str(pid),
                    "-a",
                    "systemctl",
                    "is-system-running",
                ]
                said = subprocess.run(here, capture_output=True, text=True, timeout=20)
                if said.stdout.strip() in ("running", "degraded"):
                    return pid
        time.sleep(0.1)
    raise AssertionError(f"systemd does not start: {log.read_text()}")


def _remove(group: Path) -> None:
    """Remove a control group, those inside first, once the kernel has emptied them."""
    ends = time.monotonic() + GUARD_S
    while group.exists() and time.monotonic() < ends:
        for path, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(path)
        time.sleep(0.05)
