"""One thing that is unsafe or unwise to start with; the value that preflight gives."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is unsafe (``refused``) or unwise (``warning``) to start with."""

    rule: str
    severity: Literal["refused", "warning"]
    message: str
    cure: str
