"""The directory: names and numbers by LDAP."""

from linekey.phone.uses.directory import events, handle
from linekey.phone.uses.directory.view import (
    answer_lines,
    describe_directory,
    directory_lines,
)
from linekey.phone.uses.use import Button, Parameter, Request, Use, Verb

DIRECTORY = Use(
    name="directory",
    takes={
        events.LookupWanted: handle.lookup_wanted,
        events.LookupEnded: handle.lookup_ended,
    },
    errands=(events.SearchDirectory,),
    requests=(Request("lookup", events.LookupWanted),),
    verbs=(
        Verb(
            "lookup",
            "Look a name or a number up in the phone's LDAP directory.",
            lambda text: events.LookupWanted(text),
            (Parameter("text", "A name, or a number.", "TEXT"),),
            found=answer_lines,
        ),
    ),
    buttons=(
        Button(
            "lookup", lambda form, _: events.LookupWanted(form.get("text", "")[:256])
        ),
    ),
    describe=describe_directory,
    offers=lambda state: {"has_directory": bool(state.setting("ldap_server"))},
    in_front={"directory": directory_lines},
)
