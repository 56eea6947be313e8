"""What a worker must have to be let in: the token of one run of a load, in a file.

It holds the public key of that run's master and the private key that its workers prove
themselves with (CURVE's, in Z85). The master's own private key is in no file.

Rules: the file is its owner's alone (0600); each run makes a new one, and puts it in
the place of an older token, and of nothing else.
"""

import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from linekey.errors import InputError

_MARK: Final = "linekey-load-token-1"
_KEY: Final = 40
"""Characters of a key in Z85 (ZeroMQ's RFC 32)."""


@dataclass(frozen=True, slots=True)
class Token:
    """Keys in Z85. ``server_secret`` is the master's, and empty elsewhere."""

    server_public: bytes
    client_public: bytes
    client_secret: bytes = field(repr=False)
    server_secret: bytes = field(default=b"", repr=False)

    @property
    def text(self) -> str:
        """What a worker needs, as its file holds it."""
        keys = (self.server_public, self.client_public, self.client_secret)
        lines = (_MARK, *(key.decode("ascii") for key in keys))
        return "\n".join(lines) + "\n"

    def write(self, path: Path) -> None:
        """Write what a worker needs. Raises InputError."""
        try:
            if path.exists() and not path.read_text("latin-1").startswith(_MARK):
                raise InputError(
                    f"{str(path)!r} is there already, and is no token",
                    hint="give another name with --token",
                )
            path.unlink(missing_ok=True)
            path.touch(mode=0o600)
            path.write_text(self.text, encoding="ascii")
        except OSError as error:
            raise InputError(
                f"cannot write {str(path)!r}: {(error.strerror or '').lower()}",
                hint="give a file in a folder that this user may write to",
            ) from None


def read_token(path: Path) -> Token:
    """Read a token's file. Raises InputError."""
    try:
        open_to_others = stat.S_IMODE(path.stat().st_mode) & 0o077
        words = path.read_text("latin-1")[:1000].split()
    except OSError as error:
        raise InputError(
            f"cannot read {str(path)!r}: {(error.strerror or '').lower()}",
            hint="copy the file that the master wrote with --token FILE",
        ) from None
    if open_to_others:
        raise InputError(
            f"other users can read {str(path)!r}, and whoever has it may join the load",
            hint=f"chmod 600 {path}",
        )
    if len(words) != 4 or words[0] != _MARK or any(len(w) != _KEY for w in words[1:]):
        raise InputError(
            f"{str(path)!r} is no token of a load",
            hint="copy the file that the master wrote with --token FILE",
        )
    return Token(*(word.encode("latin-1") for word in words[1:]))
