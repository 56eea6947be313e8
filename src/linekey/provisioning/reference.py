"""The reference page of decision reasons, from the ``Reason`` enum itself."""

from linekey.provisioning.decision import Outcome, Reason

_TITLES = {
    Outcome.GRANTED: "Granted",
    Outcome.BLANKED: "Blanked",
    Outcome.REFUSED: "Refused",
}


def reasons_page() -> str:
    """The text of ``docs/reference/reasons.md``."""
    lines = [
        "# Reasons",
        "",
        "<!-- Made by `make docs` from linekey.provisioning.decision.Reason. -->",
        "",
        "Every decision has one of these reasons. `linekey log` and its JSON give the"
        " name; the",
        "names never change their meaning. How a decision is made:"
        " [authorization](../explanation/authorization.md).",
    ]
    for outcome, title in _TITLES.items():
        lines += ["", f"## {title}", "", "| reason | HTTP | what happened | cure |"]
        lines.append("|---|---|---|---|")
        lines += [
            f"| `{reason}` | {reason.status} | {_cell(reason.sentence)} "
            f"| {_cell(reason.cure) or '–'} |"
            for reason in Reason
            if reason.outcome is outcome
        ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
