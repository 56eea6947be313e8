"""Where virtual phones keep what they are, so that it survives a restart and a crash.

::

    <state>/phones/<MAC>/          0700
        state.json                 settings, tabs, notifications, status   0600
        builtin.pem, patched.pem   its certificates with their keys           0600
        log.jsonl, log.1.jsonl     the log, a line an entry, newest last      0600
        lock                       held by the process that runs the phone
        control                    the socket that process listens on

Rules: a file is replaced whole (written beside, synced, renamed), so a crash leaves the
old one or the new one; the log is only appended to, and a line that a crash cut off is
left out when it is read. One process runs a phone at a time, and the lock says which.
``state.json`` holds SIP passwords in the clear, as a phone's flash does.
"""

import errno
import fcntl
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from linekey.certs.certificate import Certificate
from linekey.errors import CertificateError, InputError, StorageError
from linekey.mac import Mac
from linekey.phone.identity import DeviceIdentity, parse_identity
from linekey.phone.state import LOG_LIMIT, LogEntry, PhoneState

MAX_LOG_BYTES: Final = 2 * 1024 * 1024
"""Then the log file becomes ``log.1.jsonl`` and a new one begins."""
MAX_STATE_BYTES: Final = 64 * 1024 * 1024


@dataclass(slots=True)
class PhoneFolder:
    """One phone's folder. Build it with ``PhoneStore.folder``."""

    path: Path
    _logged: int = field(default=-1, repr=False)
    _identities: dict[str, DeviceIdentity] = field(default_factory=dict, repr=False)

    @property
    def exists(self) -> bool:
        """Whether a phone was ever saved here."""
        return (self.path / "state.json").is_file()

    @property
    def control_path(self) -> Path:
        """The socket of the process that runs the phone."""
        return self.path / "control"

    @property
    def running(self) -> bool:
        """Whether a process runs the phone at this moment."""
        try:
            with self.lock():
                return False
        except StorageError:
            return True

    def load(self, authorities: Iterable[Certificate] = ()) -> PhoneState:
        """Read the phone. Raises StorageError; InputError if there is none."""
        text = self._read("state.json")
        if text is None:
            raise InputError(
                f"there is no virtual phone {self.path.name}",
                hint="run it first: linekey phone run --mac MAC --model MODEL "
                "--setting-server URL",
            )
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise StorageError(
                f"{str(self.path / 'state.json')!r} is damaged",
                hint="restore it, or remove the folder to start the phone anew",
            )
        state = PhoneState.from_dict(
            document,
            authorities=authorities,
            builtin=self._load_identity("builtin.pem"),
            patched=self._load_identity("patched.pem"),
            log=self.read_log(LOG_LIMIT),
        )
        self._logged = state.log_count
        return state

    def save(self, state: PhoneState) -> None:
        """Write the phone: new log lines, its certificates, its state. Synced.

        Raises StorageError.
        """
        try:
            self._make()
            self._append_log(state)
            for name, identity in (
                ("builtin.pem", state.builtin),
                ("patched.pem", state.patched),
            ):
                if identity is not None and self._identities.get(name) != identity:
                    self._write(name, identity.to_pem())
                    self._identities[name] = identity
            document = json.dumps(state.as_dict(), ensure_ascii=False, indent=1)
            # A reason may hold a peer's half of a surrogate pair; no setting does.
            self._write("state.json", document.encode("utf-8", "replace"))
        except OSError as error:
            raise StorageError(
                f"cannot write {str(self.path)!r}: {error.strerror}",
                hint="give this user the right to it, or name another folder with "
                "--state DIR",
            ) from error

    def read_log(self, limit: int = LOG_LIMIT) -> list[LogEntry]:
        """The newest ``limit`` lines, oldest first. A broken line is left out."""
        entries: list[LogEntry] = []
        for name in ("log.jsonl", "log.1.jsonl"):
            text = self._read(name)
            if text is None:
                continue
            older = [e for line in text.splitlines() if (e := _entry(line)) is not None]
            entries = older + entries
            if len(entries) >= limit:
                break
        return entries[-limit:]

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the phone for this process. Raises StorageError if another has it."""
        self._make()
        descriptor = os.open(self.path / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
                raise StorageError(
                    f"the virtual phone {self.path.name} runs in another process",
                    hint="stop that one first, or choose another --mac or --state DIR",
                ) from None
            yield
        finally:
            os.close(descriptor)

    def _make(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.mkdir(mode=0o700, exist_ok=True)

    def _append_log(self, state: PhoneState) -> None:
        fresh = state.log_count - max(self._logged, 0)
        entries = state.log[-fresh:] if fresh > 0 else ()
        self._logged = state.log_count
        if not entries:
            return
        path = self.path / "log.jsonl"
        if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
            path.replace(self.path / "log.1.jsonl")
        lines = "".join(
            json.dumps(entry.as_dict(), ensure_ascii=False) + "\n" for entry in entries
        )
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            if file.tell() and not _ends_with_newline(path):
                file.write(b"\n")  # a crash cut the last line off
            file.write(lines.encode("utf-8", "replace"))

    def _load_identity(self, name: str) -> DeviceIdentity | None:
        data = self._read(name)
        if data is None:
            return None
        try:
            identity = parse_identity(data)
        except CertificateError as error:
            raise StorageError(
                f"{str(self.path / name)!r}: {error.message}",
                hint="give the phone its certificate again with --identity FILE",
            ) from error
        self._identities[name] = identity
        return identity

    def _read(self, name: str) -> bytes | None:
        path = self.path / name
        try:
            if path.stat().st_size > MAX_STATE_BYTES:
                raise StorageError(f"{str(path)!r} is larger than any phone's")
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(
                f"cannot read {str(path)!r}: {error.strerror}",
                hint="run linekey as the user who owns it",
            ) from error

    def _write(self, name: str, data: bytes) -> None:
        path = self.path / name
        draft = self.path / f".{name}.{secrets.token_hex(6)}"
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise


@dataclass(frozen=True, slots=True)
class PhoneStore:
    """The folder ``phones/`` of a state folder."""

    root: Path
    """``<state>/phones``."""

    def folder(self, mac: Mac) -> PhoneFolder:
        """The folder of one phone, whether it is there or not."""
        return PhoneFolder(self.root / str(mac))

    def macs(self) -> list[Mac]:
        """Every phone that was ever saved, in order."""
        if not self.root.is_dir():
            return []
        found = (Mac.from_bare(path.name) for path in self.root.iterdir())
        return sorted(m for m in found if m is not None and self.folder(m).exists)


def _entry(line: bytes) -> LogEntry | None:
    try:
        row: Any = json.loads(line)
        return LogEntry.from_dict(row)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
