"""Unsigned decimal numbers that somebody else wrote, within bounds.

Rule: never ``int()`` on a peer's text. Python takes signs, blanks, underscores and the
digits of every script, and refuses long numbers with an exception of its own.
"""


def digits_of(text: str, most: int) -> int | None:
    """The number that ``text`` is, blanks around it aside; None if it is none.

    ASCII digits alone count; leading zeros are fine. A number above ``most``, however
    long, is ``most``: whoever wrote it meant "as much as there is".
    """
    text = text.strip()
    if not (text.isascii() and text.isdigit()):
        return None
    text = text.lstrip("0") or "0"
    return most if len(text) > len(str(most)) else min(int(text), most)
