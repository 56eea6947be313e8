"""A change of many says how many it means, as they were shown: else it is refused."""

from linekey.errors import InputError
from linekey.said import say


def check_expected(found: int, expected: int) -> None:
    """Raise InputError where it is not ``expected`` phones that are found now."""
    if found == expected:
        return
    raise InputError(
        say("meanwhile it is 1 phone, no longer %(expected)s", expected=expected)
        if found == 1
        else say(
            "meanwhile it is %(found)s phones, no longer %(expected)s",
            found=found,
            expected=expected,
        ),
        hint=say("nothing was changed; look at them again"),
    )
