"""The verbs of ``linekey phone`` that the phone and its uses bring, in words alone.

Rule: nothing is imported here but what a help is made of; what event a verb makes of
its words is said by the use (``use.Verb``). Each stands in ``WORDS``, in the order of
the help, which is that of ``uses.all.USES``, after the phone's own.
"""

from dataclasses import dataclass
from functools import partial
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Parameter:
    """A word or an option of a verb; ``texts``: one or more, as an option any number.

    ``file`` is a path, and its content is what the verb gets.
    """

    name: str
    help: str
    metavar: str = ""
    kind: Literal["text", "texts", "number", "file"] = "text"
    """``number`` counts from 1."""
    option: bool = False
    """Whether it is ``--name``, and no word."""
    required: bool = True


@dataclass(frozen=True, slots=True)
class Words:
    """A verb's name, help and parameters."""

    name: str
    help: str
    parameters: tuple[Parameter, ...] = ()
    alone: bool = False
    """Whether it also goes with a phone that does not run."""


_value = partial(Parameter, option=True, required=False)
_SHA256 = Parameter(
    "sha256", "SHA-256 fingerprint; its first 8 digits are enough.", "SHA256"
)

PATCH = Words(
    "patch",
    "Install a firmware patch that gives this phone a SHA-2 certificate.",
    (Parameter("file", "Patch, as linekey lab patch writes it.", "FILE", "file"),),
    alone=True,
)
EXCEPTION = Words(
    "exception",
    "Add an exception for a certificate on the Unknown Certificates tab.",
    (_SHA256,),
    alone=True,
)
REMOVE = Words("remove", "Remove a certificate from its tab.", (_SHA256,), alone=True)
ACTIVATE = Words(
    "activate",
    "Activate TLS server authentication. Only a factory reset turns it off.",
    alone=True,
)
PROVISION = Words("provision", "Make a running phone fetch its configuration again.")
EVENT = Words(
    "event",
    "Trigger an event: the phone fetches the action URL that is set for it.\n\n"
    "If the answer is a minibrowser page, the phone shows it. For example: "
    "`linekey phone event incoming --remote sip:402@example.com`.",
    (
        Parameter("name", "Event, such as incoming, dnd_on or reg_failed.", "EVENT"),
        _value("remote", "Caller: $remote."),
        _value("local", "Called party: $local."),
        _value("display_remote", "The caller's name: $display_remote."),
        _value("variable", "Another variable. May be repeated.", "NAME=VALUE", "texts"),
    ),
)
PRESS = Words(
    "press",
    "Press a function key, or a soft key of the page on the screen.",
    (
        Parameter(
            "key",
            "Number of a function key, from 0. On a minibrowser page also F1 to F4, *, "
            "#, CANCEL or EXIT.",
            "KEY",
        ),
    ),
)
CHOOSE = Words(
    "choose",
    "Choose an entry of the menu or directory on the screen.",
    (Parameter("number", "Number of the entry, from 1.", "NUMBER", "number"),),
)
SUBMIT = Words(
    "submit",
    "Fill in the input page on the screen, and send it.",
    (Parameter("values", "One value for each field.", "VALUE", "texts"),),
)
LOOKUP = Words(
    "lookup",
    "Look up a name or number in the phone's LDAP directory.",
    (Parameter("text", "Name or number.", "TEXT"),),
)
DOT1X = Words(
    "dot1x",
    "Log the phone in to the network with 802.1X, at a RADIUS server.\n\n"
    "It uses the phone's EAP settings, certificate and 802.1X tab. It needs "
    "eapol_test, which takes the part of the switch.",
    (
        Parameter("radius", "RADIUS server.", "HOST:PORT", option=True),
        Parameter(
            "secret_file",
            "File with the secret that RADIUS server and switch share.",
            "FILE",
            "file",
            option=True,
        ),
    ),
    alone=True,
)
FIRMWARE = Words(
    "firmware",
    "Fetch the firmware that the settings name, and report what it is.\n\n"
    "Nothing is installed, and the file is not kept.",
)

WORDS: Final = (
    PATCH,
    EXCEPTION,
    REMOVE,
    ACTIVATE,
    PROVISION,
    EVENT,
    PRESS,
    CHOOSE,
    SUBMIT,
    LOOKUP,
    DOT1X,
    FIRMWARE,
)
