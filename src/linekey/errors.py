"""The errors linekey raises: one base, a few children, each saying whose fault it is.

A message is lower case, names the value with ``!r``, and says what and why; ``hint``
says what to do next. No message ever holds a secret. Findings and decisions are
values, never exceptions (see ``linekey.trust.findings``,
``linekey.provisioning.decision``).
"""


class LinekeyError(Exception):
    """Base of every error that linekey raises on purpose.

    ``hint`` is the cure, one sentence, or empty where there is none to give.
    ``exit_code`` is what the command line exits with: 2 usage, 3 could not do it.
    """

    exit_code = 3

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(LinekeyError):
    """The operator gave something that cannot be right: an option, a file, a row."""

    exit_code = 2


class PeerError(LinekeyError):
    """The other end of a connection broke a rule, or a limit of ours."""


class CertificateError(InputError):
    """Bytes that should hold a certificate, a key or a bundle do not."""


class StorageError(LinekeyError):
    """The state folder or the database cannot be read or written."""
