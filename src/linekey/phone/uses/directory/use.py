"""The directory: names and numbers by LDAP."""

from linekey.phone.uses.directory.events import (
    LookupEnded,
    LookupWanted,
    SearchDirectory,
)
from linekey.phone.uses.directory.handle import lookup_ended, lookup_wanted
from linekey.phone.uses.directory.view import (
    answer_lines,
    describe_directory,
    directory_lines,
)
from linekey.phone.uses.use import Button, Parameter, Request, Use, Verb

DIRECTORY = Use(
    name="directory",
    takes={LookupWanted: lookup_wanted, LookupEnded: lookup_ended},
    errands=(SearchDirectory,),
    requests=(Request("lookup", LookupWanted),),
    verbs=(
        Verb(
            "lookup",
            "Look a name or a number up in the phone's LDAP directory.",
            lambda text: LookupWanted(text),
            (Parameter("text", "A name, or a number.", "TEXT"),),
            found=answer_lines,
        ),
    ),
    buttons=(
        Button("lookup", lambda form, _: LookupWanted(form.get("text", "")[:256])),
    ),
    describe=describe_directory,
    offers=lambda state: {"has_directory": bool(state.setting("ldap_server"))},
    in_front={"directory": directory_lines},
)
