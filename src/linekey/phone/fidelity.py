"""Writes docs/reference/fidelity.md from the table of rules."""

from linekey.catalog.evidence import CONFIDENCE_MEANING
from linekey.phone.rules import RULES


def fidelity_page() -> str:
    """The text of docs/reference/fidelity.md."""
    guessed = sum(rule.confidence == "L" for rule in RULES)
    lines = [
        "# What the virtual phone does, and on whose word",
        "",
        "<!-- Made by `make docs` from src/linekey/phone/rules.py. -->",
        "",
        f"{len(RULES)} rules, {guessed} of them guessed. The seed is the "
        "vendor's page on"
        " TLS; *facts*",
        "are linekey's collected notes with their sources. Confidence: "
        + "; ".join(f"**{k}** {v}" for k, v in CONFIDENCE_MEANING.items())
        + ".",
        "How a server's certificate is judged is on its own page: "
        "[findings](findings.md).",
    ]
    part = ""
    for rule in RULES:
        if rule.part != part:
            part = rule.part
            lines += [
                "",
                f"## {part}",
                "",
                "| rule | firmware | source | confidence | shown by |",
                "|---|---|---|---|---|",
            ]
        tests = "<br>".join(f"`{test.rpartition('::')[2]}`" for test in rule.tests)
        sure = "L, guessed" if rule.confidence == "L" else rule.confidence
        lines.append(
            f"| {_cell(rule.rule)} | {_cell(rule.firmware)} | {_cell(rule.source)} "
            f"| {sure} | {tests} |"
        )
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("{", "`{").replace("}", "}`")
