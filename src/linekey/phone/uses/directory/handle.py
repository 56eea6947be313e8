"""The directory: what a look-up needs, and what came of it."""

from datetime import datetime

from linekey.errors import InputError
from linekey.phone.display import Message, tell, with_message
from linekey.phone.events import Reply, Save
from linekey.phone.state import PhoneState
from linekey.phone.uses.directory.events import (
    LookupEnded,
    LookupWanted,
    SearchDirectory,
)
from linekey.phone.uses.directory.settings import filter_for, read_directory
from linekey.phone.uses.directory.view import Directory, Found, describe_lookup
from linekey.phone.uses.use import Result
from linekey.phone.wording import counted
from linekey.trust.connection import Purpose


def lookup_wanted(state: PhoneState, event: LookupWanted, now: datetime) -> Result:
    """Begin, or say what lacks."""
    text = event.text.strip()
    try:
        settings = read_directory(
            state.setting, substrings=state.profile.ldap_substrings
        )
        if settings is not None and text:
            filter_for(settings, text)  # what cannot be a filter shows now
    except InputError as error:
        return tell(state, Purpose.LDAP, Reply(False, error.message, error.hint), now)
    if settings is None:
        why = "this phone has no directory: ldap_server is not set"
        hint = "provision ldap_server, ldap_over_tls, ldap_base"
        return state, [Reply(False, why, hint)]
    if not text or len(text) > 128:
        why = "type a name or a number, of at most 128 characters"
        return state, [Reply(False, why)]
    return state, [SearchDirectory(settings, text)]


def lookup_ended(state: PhoneState, event: LookupEnded, now: datetime) -> Result:
    """Show it."""
    result = event.result
    state = state.with_part(Directory(Found(event.text, result, now)))
    details = {"lookup": describe_lookup(result)}
    cure = result.cure if result.problem else ""
    text = result.problem or f"{counted(len(result.entries), 'hit')} in the directory"
    state = with_message(state, None if result.problem else Message(True, text))
    state = state.with_log(
        now,
        Purpose.LDAP,
        text,
        *result.notes,
        level="error" if result.problem else "info",
    )
    return state, [Save(), Reply(not result.problem, text, cure, details)]
