"""One self-contained HTML page of a report, to be mailed to whoever must act.

Made from the report's JSON form and nothing else, so the page says what the scripts
read. No script, no font, no address: everything is inside, and a Content-Security-
Policy in the page forbids the rest. Every value is escaped by the template engine:
names and certificates come from servers that may be hostile.
"""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from linekey.check.report import DOUBT_MARK, Outcome, Report


@cache
def template(name: str) -> Template:
    """Return a page's template, ready to render."""
    environment = Environment(
        autoescape=True,
        loader=PackageLoader("linekey.check", ""),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    environment.filters["moment"] = _moment
    environment.filters["thousands"] = lambda number: f"{number:,}"
    return environment.get_template(name)


def render_page(report: Report) -> str:
    """The page, complete."""
    document = report.as_dict()
    marks = {
        str(outcome): {
            "id": str(outcome),
            "mark": outcome.mark,
            "words": outcome.words,
        }
        for outcome in Outcome
    }
    labels = {result.id: result.label for result in report.classes}
    for row, result in zip(document["classes"], report.classes, strict=True):
        row |= {"label": result.label, "mark": result.mark, "words": result.words}
    return template("page.html.j2").render(
        report=document,
        outcomes=list(marks.values()),
        marks=marks,
        labels=labels,
        matrix=None if report.of_fleet else _matrix(report),
        doubt_mark=DOUBT_MARK if any(r.doubt for r in report.classes) else "",
    )


def _matrix(report: Report) -> dict[str, Any]:
    """Models down, firmware across; a cell for each pair that was checked."""
    cells: dict[tuple[str, str], dict[str, Any]] = {}
    models: dict[str, None] = {}
    firmwares: dict[str, None] = {}
    for result in report.classes:
        for model, firmware in result.phones:
            models[model] = None
            firmwares[firmware] = None
            cells[model, firmware] = {
                "id": result.id,
                "outcome": str(result.outcome),
                "mark": result.mark,
                "words": result.words,
                "reason": result.reason,
                "warnings": bool(result.warnings),
            }
    columns = sorted(firmwares, key=_version)
    return {
        "firmwares": columns,
        "rows": [
            {"model": model, "cells": [cells.get((model, f)) for f in columns]}
            for model in sorted(models, key=_model)
        ],
    }


def _moment(text: str) -> str:
    """ISO 8601 as people read it, to the minute."""
    moment = datetime.fromisoformat(text).astimezone(UTC)
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _version(text: str) -> tuple[tuple[int, ...], str]:
    return tuple(int(p) for p in text.split(".") if p.isdigit()), text


def _model(text: str) -> tuple[bool, str]:
    return not text[:1].isdigit(), text
