"""Words that the phone's log, answers and pages share."""


def own_fault(kind: str) -> tuple[str, str]:
    """What to say of a fault of linekey's own, and the cure.

    ``kind`` is the exception's type; its message may hold what no log may show.
    """
    return (
        f"a fault of linekey's own ({kind})",
        "report it, with what the process that runs the phone wrote to its error"
        " output",
    )
