"""What a token for the HTTP API may do, and a user of the console."""

from enum import StrEnum


class Scope(StrEnum):
    """What a token may do; each may do what those before it may."""

    READ = "read"
    """Read everything but secrets."""
    HELPDESK = "helpdesk"
    """Revoke and restore phones, make one-time tokens for them, and decide on pending
    phones."""
    ADMIN = "admin"
    """Change everything."""

    def covers(self, wanted: "Scope") -> bool:
        """Whether this scope is enough where ``wanted`` is asked for."""
        order = list(Scope)
        return order.index(self) >= order.index(wanted)
