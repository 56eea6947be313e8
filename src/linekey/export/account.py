"""The user a peer runs as, what it owns and what it may read.

A package makes a user for its server, and a server that phones reach has no need of
root. Started by root, a peer that does not give root up by its own configuration is
told by words of its command, and before that root lets it into what it needs: folders
that it writes become its own, files with secrets become readable by its group. All
else stays root's, so that who breaks in rewrites no configuration.

Rule: nobody but root can give a file away. Where another user exports, there is nothing
to prepare and nobody to become: the peer runs as who starts it.
"""

from dataclasses import dataclass

from linekey.export.request import Request


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the system, and his part in an export."""

    user: str
    """As the distribution's package makes it (Debian)."""
    group: str
    flags: str
    """Words of the peer's command that give root up, such as ``-u USER -g GROUP``;
    empty where its configuration says it."""
    owns: tuple[str, ...] = ()
    """Folders below the export's that the peer writes into."""
    reads: tuple[str, ...] = ()
    """Files below the export's folder that hold secrets."""
    reads_key: bool = True
    """Whether it reads the key after it gave root up, and not before."""

    def preparation(self, request: Request) -> tuple[str, ...]:
        """Commands for root before the first start; empty where root does not start it.

        The paths are those of ``parse_path``, which stand in a shell as they are.
        """
        if not request.as_root:
            return ()
        owned = " ".join(f"{request.folder}/{name}" for name in self.owns)
        read = [f"{request.folder}/{name}" for name in self.reads]
        files = " ".join([*read, request.key] if self.reads_key else read)
        commands = []
        if owned:
            commands.append(f"chown {self.user}:{self.group} {owned}")
            commands.append(f"chmod 750 {owned}")
        if files:
            commands.append(f"chgrp {self.group} {files}")
            commands.append(f"chmod 640 {files}")
        return tuple(commands)

    def words(self, request: Request) -> str:
        """The words for the peer's command, with a blank before; empty for none."""
        return f" {self.flags}" if self.flags and request.as_root else ""
