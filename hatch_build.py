"""The project's addresses, as metadata of the package.

A clone does not know where it was cloned from. The workflow that builds a release says
it, in ``LINEKEY_REPOSITORY`` (``https://HOST/OWNER/NAME``). Without it, as by hand,
the package names no address rather than a wrong one.
"""

import os
import re
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

VARIABLE = "LINEKEY_REPOSITORY"
_ADDRESS = re.compile(r"https://[A-Za-z0-9.-]+(/[A-Za-z0-9._-]+)+")


def urls_of(repository: str) -> dict[str, str]:
    """Return the project's URLs; none for an empty ``repository``.

    Raises ValueError for what is no HTTPS address of a repository.
    """
    if not repository:
        return {}
    address = repository.rstrip("/")
    if _ADDRESS.fullmatch(address) is None:
        raise ValueError(
            f"{VARIABLE} is no address of a repository: {repository!r}; "
            "write https://HOST/OWNER/NAME, or leave it out"
        )
    return {
        "Repository": address,
        "Issues": f"{address}/issues",
        "Documentation": f"{address}/tree/main/docs",
        "Changelog": f"{address}/blob/main/CHANGELOG.md",
        "Report a weakness": f"{address}/security/advisories/new",
    }


class Addresses(MetadataHookInterface):
    """Hatchling's hook; it is found because pyproject.toml names it."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in what ``dynamic`` promises."""
        metadata["urls"] = urls_of(os.environ.get(VARIABLE, ""))
