"""The reference page of ``linekey load``: what phones do, and why something failed."""

from linekey.load.mix import KINDS
from linekey.load.outcome import REASONS
from linekey.load.result import TITLES
from linekey.reasons import sentence


def load_page() -> str:
    """Return the page, from the tables that the program uses."""
    lines = [
        "# Kinds and failures of a load",
        "",
        "<!-- Made by `make docs`. -->",
        "",
        "Made by `make docs` from the tables of `linekey load`; how to use it is on "
        "[a page of its own](../howto/load.md).",
        "",
        "## What phones do (`--mix`)",
        "",
        "| | a phone does | and needs | when |",
        "|---|---|---|---|",
        *(
            f"| `{kind.name}` | {kind.does} | {kind.needs} | "
            f"{'once, at its start' if kind.first else 'after thinking, by weight'} |"
            for kind in KINDS
        ),
        "",
        "Counted besides, since phones do it by themselves: "
        + ", ".join(
            f"`{name}` ({TITLES[name]})"
            for name in TITLES
            if name not in {kind.name for kind in KINDS}
        )
        + ".",
        "",
        "## Why something failed",
        "",
        "| code | | cure |",
        "|---|---|---|",
        *(
            f"| `{code}` | {sentence(row.sentence)} | {sentence(row.cure)} |"
            for code, row in REASONS.items()
        ),
    ]
    return "\n".join(lines) + "\n"
