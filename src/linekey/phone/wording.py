"""Words that the phone's log, answers and pages share."""


def counted(number: int, one: str, many: str = "") -> str:
    """``1 setting``, ``2 settings``; ``many`` where an s does not make the plural."""
    return f"{number} {one if number == 1 else many or one + 's'}"
