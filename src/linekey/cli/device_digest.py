"""A phone's HTTP digest user, as an option: the password is asked for, never typed."""

from typing import Annotated

import typer

from linekey.cli.on_use import on_use
from linekey.cli.opening import read_secret
from linekey.cli.output import warn

with on_use():
    from linekey.provisioning.device import REALM, DigestCredential

STRONG_PASSWORD = 10
"""Characters that the guesses allowed per day do not find (decision 0015)."""

DigestOption = Annotated[
    str | None,
    typer.Option(
        "--digest",
        metavar="USER",
        help="Let the phone log in by HTTP digest as USER; you are asked for the "
        "password. For phones that share one certificate.",
    ),
]


def credential_of(username: str | None) -> DigestCredential | None:
    """Ask for the password of a user, if one is named. Raises InputError."""
    if username is None:
        return None
    password = read_secret(f"password of {username}")
    if len(password) < STRONG_PASSWORD:
        warn(
            f"this password has fewer than {STRONG_PASSWORD} characters, and may be "
            "found by guessing",
            f"use at least {STRONG_PASSWORD} random letters and digits",
        )
    return DigestCredential.create(username, REALM, password)
