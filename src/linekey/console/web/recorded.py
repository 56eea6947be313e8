"""Find which text a recorded sentence was made of, so that it can be said again.

The log keeps what a single case adds to its reason as an English sentence: that is what
is searched, exported and compared, and a line costs no more for it. ``linekey.said``
made that sentence of a text of the catalogue and of values; here the text is found
again by its fixed parts, and the values between them. What no text could have made
(an operator's own words, what another program said) is not found, and stays as it is.

Rules: the fixed parts are looked for from the left, without going back, so the work
grows with the sentence alone, whoever wrote it; of several texts that fit, the one
counts that leaves least unexplained, and of those the simplest; a text that says little
by itself ("%(label)s: %(problem)s") counts only where a sentence is found in one of its
places. Sentences in a row, with semicolons between, are found one by one.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from linekey.said import Said, Value, joined, made, mark

MAX_SENTENCE = 1_000
"""Characters; what is longer is not looked at."""

TERMS = frozenset(
    {
        mark("client"), mark("server"), mark("handshake"), mark("connection"),
        mark("empty"), mark("none"), mark("nothing"),
        mark("the record"), mark("the catalogue"),
    }
)  # fmt: skip
"""Values that are words of ours; any other single word is a name or a number."""

_PLACE = re.compile(r"%\((\w+)\)s")
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+")
_LEAST_LETTERS = 4
_MOST_PARTS = 8
_DEEPEST = 2
"""Sentences within sentences; rows of them are not within others."""
_BETWEEN = "; "


class Recorded:
    """The texts that sentences are made of."""

    def __init__(self, texts: Iterable[str]) -> None:
        texts = tuple(texts)
        self._plain = frozenset(text for text in texts if not _PLACE.search(text))
        patterns = (_Pattern(text) for text in texts if _PLACE.search(text))
        self._patterns = [pattern for pattern in patterns if not pattern.is_row]
        self._kept = lru_cache(maxsize=4_096)(self._look)

    def find(self, sentence: str) -> Said | None:
        """Return the sentence with what it was made of; None: no text is known."""
        return self._kept(sentence, 0)

    def _look(self, sentence: str, depth: int) -> Said | None:
        if not sentence or len(sentence) > MAX_SENTENCE or depth > _DEEPEST:
            return None
        one = self._one(sentence, depth)
        row = self._row(sentence, depth) if not depth else None
        return min(filter(None, (one, row)), key=_cost, default=None)

    def _one(self, sentence: str, depth: int) -> Said | None:
        if sentence in self._plain:
            return made(sentence, {})
        fitting = []
        for pattern in self._patterns:
            values = pattern.values_in(sentence)
            if values is None:
                continue
            said = {n: self._value(v, depth + 1) for n, v in values.items()}
            if pattern.says_something or (
                not depth and any(map(_is_sentence, said.values()))
            ):
                fitting.append(made(pattern.text, said))
        return min(fitting, key=_cost, default=None)

    def _row(self, sentence: str, depth: int) -> Said | None:
        """Sentences in a row: the cheapest way to part them."""
        parts = sentence.split(_BETWEEN, _MOST_PARTS)
        count = len(parts)
        rows: list[tuple[str, ...]] = [()]
        for start in reversed(range(count)):
            ways = [(parts[start], *rows[0])]
            for stop in range(start + 1, count + 1):
                said = self._one(_BETWEEN.join(parts[start:stop]), depth)
                if said is not None and stop - start < count:
                    ways.append((said, *rows[stop - start - 1]))
            rows.insert(0, min(ways, key=_cost_of_all))
        if count == 1 or not any(isinstance(part, Said) for part in rows[0]):
            return None
        row = joined(rows[0])
        assert isinstance(row, Said), "of several, or of one that is"
        return row

    def _value(self, value: str, depth: int) -> Value:
        if _NUMBER.fullmatch(value):
            return int(value.replace(",", ""))
        if " " not in value:
            return made(value, {}) if value in TERMS else value
        return self._kept(value, depth) or value


def _is_sentence(value: Value) -> bool:
    return isinstance(value, Said) and value not in TERMS


def _cost(value: Value) -> tuple[int, int]:
    """How many characters no text explains, and how many texts it takes."""
    if not isinstance(value, Said):
        return len(str(value)), 0
    left, texts = _cost_of_all(value.values.values())
    return left, texts + 1


def _cost_of_all(values: Iterable[Value]) -> tuple[int, int]:
    costs = [_cost(value) for value in values]
    return sum(left for left, _ in costs), sum(texts for _, texts in costs)


class _Pattern:
    """A text with places: what stands between them."""

    def __init__(self, text: str) -> None:
        self.text = text
        fixed = _PLACE.split(text)
        self._fixed, self._names = fixed[::2], fixed[1::2]
        letters = sum(c.isalpha() for part in self._fixed for c in part)
        self.says_something = letters >= _LEAST_LETTERS
        self.is_row = _BETWEEN in self._fixed and not letters

    def values_in(self, sentence: str) -> dict[str, str] | None:
        """What stands in the places; None: the text cannot have made the sentence."""
        first, *others = self._fixed
        if not sentence.startswith(first) or not sentence.endswith(others[-1]):
            return None
        values: dict[str, str] = {}
        at = len(first)
        for number, (name, part) in enumerate(zip(self._names, others, strict=True)):
            last = number == len(others) - 1
            stop = len(sentence) - len(part) if last else sentence.find(part, at + 1)
            if stop <= at:
                return None
            value = sentence[at:stop]
            if values.setdefault(name, value) != value:
                return None
            at = stop + len(part)
        return values
