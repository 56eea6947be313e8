"""What the sections of linekey's own settings are made of (``linekey.settings``)."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]


def _listed(given: Any) -> Any:
    return (given,) if isinstance(given, str | Path) else given


Files = Annotated[tuple[Path, ...], BeforeValidator(_listed)]
"""One file, or a list of them."""


class Section(BaseModel):
    """Some settings that belong together."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True
    )
