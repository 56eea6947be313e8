"""What the sections of linekey's own settings are made of (``linekey.settings``)."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]


def _listed(given: Any) -> Any:
    return (given,) if isinstance(given, str | Path) else given


Files = Annotated[tuple[Path, ...], BeforeValidator(_listed)]
"""One file, or a list of them."""


def first_wrong(error: ValidationError) -> tuple[str, str]:
    """Return where the first value is that cannot be, with dots, and why."""
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "tuple_type":
        return where, 'it is a list: write ["one", "another"]'
    said = first["msg"].removeprefix("Value error, ")
    return where, f"{said[:1].lower()}{said[1:]}"


class Section(BaseModel):
    """Some settings that belong together."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True
    )
