"""Which firmware versions some source names, and which of them are near a given one.

Nobody publishes a list of all versions, so a version that is not named here may exist
all the same; but no verdict on it is certain, and what is said of it is how unlikely it
is. A branch that no source names at all (1.2) did not exist; in a branch that is no
longer developed nothing is newer than its newest named version (L); any other number
may exist, and nobody has told of it.
"""

import difflib
from functools import lru_cache

from linekey.catalog.firmware import Firmware
from linekey.catalog.firmware_dates import dated_firmwares
from linekey.catalog.matrix import ROWS, firmwares_of
from linekey.catalog.models import Model
from linekey.catalog.settings_rules import SINCE_RULES

LIVING_BRANCH = (10, 1)
"""The branch that still gets releases: 10.1.226.16 was seen in July 2026 (M)."""


@lru_cache(maxsize=1)
def named_firmwares() -> tuple[Firmware, ...]:
    """Every version that the catalogue names with four places or more, in order."""
    found = set(dated_firmwares())
    found.update(fw for row in ROWS for fw in row.firmwares)
    found.update(fw for rule in SINCE_RULES for fw in rule.since.firsts)
    return tuple(sorted(fw for fw in found if fw.text.count(".") >= 2))


def near_firmwares(model: Model, firmware: Firmware, limit: int = 4) -> tuple[str, ...]:
    """Named versions that somebody may have meant, of branches the model had."""
    named = [fw for fw in named_firmwares() if model.had_branch(fw.branch)]
    below = [fw for fw in named if fw < firmware][-1:]
    above = [fw for fw in named if fw > firmware][:1]
    alike = difflib.get_close_matches(
        str(firmware), [str(fw) for fw in named], n=2, cutoff=0.85
    )
    near = (*below, *above, *firmwares_of(model), *named[-1:])
    return tuple(dict.fromkeys([*alike, *map(str, near)]))[:limit]


def firmware_doubts(model: Model, firmware: Firmware) -> tuple[str, ...]:
    """Why this version may not be one of this model, a sentence each; or nothing."""
    named = named_firmwares()
    branches = {fw.branch for fw in named}
    if firmware.branch not in branches:
        what = f"no source names a firmware {_dotted(firmware.branch)} of any phone"
    elif not model.had_branch(firmware.branch):
        first, last = _dotted(model.first_branch), model.last_branch
        span = (
            f"{first} and later"
            if last is None
            else first
            if last == model.first_branch
            else f"{first} to {_dotted(last)}"
        )
        what = (
            f"unlikely: no source has the {model.name} with firmware {firmware}; its"
            f" branches are {span} ({model.range_confidence})"
        )
    elif firmware in named:
        return ()
    else:
        what = f"no source that linekey knows names {firmware}"
        newest = max(fw for fw in named if fw.branch == firmware.branch)
        if firmware > newest:
            what += f": the newest of {_dotted(firmware.branch)} is {newest}"
        if firmware.branch == LIVING_BRANCH or firmware < newest:
            what += "; it may exist all the same"
    near = near_firmwares(model, firmware)
    return (f"{what}; near it: {', '.join(near)}" if near else what,)


def _dotted(branch: tuple[int, int]) -> str:
    return f"{branch[0]}.{branch[1]}"
