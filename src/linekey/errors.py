"""The errors linekey raises: one base, a few children, each saying whose fault it is.

A message is lower case, names the value with ``!r``, and says what and why; ``hint``
says what to do next. No message ever holds a secret. Findings and decisions are
values, never exceptions (see ``linekey.trust.findings``,
``linekey.provisioning.decision``).
"""

from enum import StrEnum


class LinekeyError(Exception):
    """Base of every error that linekey raises on purpose.

    ``hint`` is the cure, one sentence, or empty where there is none to give.
    ``exit_code`` is what the command line exits with: 2 usage, 3 could not do it.
    ``code`` is the kind of error, for programs.
    """

    exit_code = 3
    code = "failed"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(LinekeyError):
    """The operator gave something that cannot be right: an option, a file, a row."""

    exit_code = 2
    code = "input"


class PeerError(LinekeyError):
    """The other end of a connection broke a rule, or a limit of ours."""

    code = "peer"


class CertificateError(InputError):
    """Bytes that should hold a certificate, a key or a bundle do not."""

    code = "certificate"


class Cause(StrEnum):
    """What kind of trouble the storage has, for programs: metrics and readiness."""

    BUSY = "busy"
    SLOW = "slow"
    UNREACHABLE = "unreachable"
    FULL = "full"
    READ_ONLY = "read_only"
    DISK = "disk"
    DAMAGED = "damaged"
    GONE = "gone"
    OVERLOADED = "overloaded"
    OTHER = "other"

    @property
    def sentence(self) -> str:
        """It in words, without a name or a value of this installation."""
        return _CAUSES[self]


_CAUSES = {
    Cause.BUSY: "another process holds the database's lock",
    Cause.SLOW: "the database does not answer in time",
    Cause.UNREACHABLE: "linekey cannot connect to the database",
    Cause.FULL: "the database has no space left",
    Cause.READ_ONLY: "the database is read-only",
    Cause.DISK: "the database's file cannot be opened, read or written",
    Cause.DAMAGED: "the database is damaged",
    Cause.GONE: "the database's file was deleted or replaced",
    Cause.OVERLOADED: "too many requests wait for the database",
    Cause.OTHER: "the database reports an error",
}


class StorageError(LinekeyError):
    """The state folder or the database cannot be read or written."""

    code = "storage"

    def __init__(
        self, message: str, *, hint: str = "", cause: Cause = Cause.OTHER
    ) -> None:
        super().__init__(message, hint=hint)
        self.cause = cause
