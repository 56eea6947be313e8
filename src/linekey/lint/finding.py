"""One weakness that was found, with its evidence: never with a secret."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from linekey.catalog.evidence import Confidence
from linekey.catalog.secrecy import is_secret, is_secret_value, mask_url
from linekey.lint.rules import RULES, Weight
from linekey.lint.source import Source, plain_name
from linekey.makers.grammar import Line

MAX_SHOWN: Final = 80
"""Characters of a value that are shown."""


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One row of a report.

    ``setting`` is its name as it is written, ``evidence`` what it says, or why that is
    not shown; ``line`` 0 where the finding is that something is not there.
    """

    rule: str
    line: int
    setting: str
    evidence: str
    title: str
    why: str
    cure: str
    weight: Weight
    source: str
    confidence: Confidence
    detail: str = ""
    """What this case has beyond the rule, a clause."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "rule": self.rule,
            "weight": self.weight,
            "line": self.line or None,
            "setting": self.setting,
            "evidence": self.evidence,
            "sentence": f"{self.title}: {self.detail}" if self.detail else self.title,
            "why": self.why,
            "cure": self.cure,
            "source": self.source,
            "confidence": self.confidence,
        }


def found(
    source: Source,
    rule: str,
    line: Line | None,
    *,
    setting: str = "",
    safe: str = "",
    detail: str = "",
    by: str = "",
    confidence: Confidence | None = None,
    show: bool = True,
) -> LintFinding:
    """Make a finding. KeyError for a rule that is in no table: a bug of ours.

    ``line`` is the line that breaks the rule, None where one is missing; ``setting``
    and ``safe`` go into the cure; ``by`` is the setting's own source. ``show`` False
    hides the value in any case.
    """
    row = RULES[rule]
    written = source.masked.shown(line.name) if line else setting
    if line is not None and line.idx is not None:
        written = f"{written}[{line.idx}]"
    cure = row.cure.replace("{setting}", setting or written).replace("{safe}", safe)
    return LintFinding(
        rule=rule,
        line=line.number if line else 0,
        setting=_clean(written)[:120],
        evidence=_evidence(source, line, show),
        title=row.title,
        why=row.why,
        cure=cure,
        weight=row.weight,
        source="; ".join(dict.fromkeys(filter(None, (by, _own_source(row.source))))),
        confidence=confidence or row.confidence,
        detail=detail,
    )


def _own_source(text: str) -> str:
    """The rule's source, without the words that stand for the setting's."""
    return text.removesuffix("the setting's own source").rstrip("; ")


def _evidence(source: Source, line: Line | None, show: bool) -> str:
    if line is None:
        return "not set"
    value = source.masked.shown(line.value)
    name = plain_name(line.name)
    known = source.maker.is_secret(name)
    secret = known if known is not None else is_secret(name)
    if not show or secret or "PRIVATE KEY" in value:
        return "(not shown)"
    shown = mask_url(value) if is_secret_value(value) else value
    shown = _clean(" ".join(shown.split()))
    return shown if len(shown) <= MAX_SHOWN else shown[: MAX_SHOWN - 1] + "…"


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def weights(findings: Mapping[str, list[LintFinding]]) -> dict[Weight, int]:
    """How many there are of each weight."""
    counts: dict[Weight, int] = {"warning": 0, "note": 0}
    for several in findings.values():
        for one in several:
            counts[one.weight] += 1
    return counts
