"""Bars over time, as the numbers that an SVG needs. Pure: nothing is drawn here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

WIDTH, HEIGHT = 960, 220
"""Of the drawing, in its own units; it is as wide as its place."""
NARROW = 320
"""Its width for a small screen, so that its words keep their size."""
LEFT, BOTTOM, TOP = 56, 28, 10
"""Room for the numbers and the hours."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn."""

    width: int
    bars: list[Bar]
    lines: list[tuple[float, int]]
    """Where each horizontal line is, and which number it stands for."""
    names: list[tuple[float, str]]
    """Where each hour's name is, and its time in ISO 8601."""


def bars_of(
    hours: Sequence[Mapping[str, Any]], kinds: Sequence[str], width: int = WIDTH
) -> Chart:
    """Stack each hour's numbers of ``kinds`` on each other, the first one lowest."""
    most = max((sum(hour[kind] for kind in kinds) for hour in hours), default=0)
    step = _step(most)
    top = max(step * -(-most // step), step)
    high = HEIGHT - BOTTOM - TOP
    slot = (width - LEFT) / max(len(hours), 1)
    bars: list[Bar] = []
    for number, hour in enumerate(hours):
        below = 0.0
        for kind in kinds:
            size = hour[kind] / top * high
            if hour[kind]:
                size = max(size, 1.5)  # one of a thousand is still seen
                y = HEIGHT - BOTTOM - below - size
                x = LEFT + number * slot + slot * 0.14
                bars.append(Bar(kind, _r(x), _r(y), _r(slot * 0.72), _r(size)))
            below += size
    lines = [
        (_r(HEIGHT - BOTTOM - number / top * high), number)
        for number in range(0, top + 1, step)
    ]
    every = max(1, len(hours) // (8 if width > NARROW else 4))
    names = [
        (_r(LEFT + (number + 0.5) * slot), hour["at"])
        for number, hour in enumerate(hours)
        if number % every == 0
    ]
    return Chart(width, bars, lines, names)


def _step(most: int) -> int:
    """Between two lines: 1, 2 or 5 and zeros, so that there are four at most."""
    least = max(most / 4, 1)
    ten = 10 ** int(log10(least))
    return int(next(ten * by for by in (1, 2, 5, 10) if ten * by >= least))


def _r(value: float) -> float:
    return round(value, 1)
