"""Keys, pages, the directory and open ways: a part of ``phone.rules``' table."""

from typing import Final

from linekey.catalog import settings_rules as since
from linekey.phone.rule import PhoneRule

_KEYS: Final = "Keys and minibrowser"
_DIRECTORY: Final = "Directory (LDAP)"
_WAY: Final = "The way of secrets"

USE_RULES: Final = (
    PhoneRule(
        _KEYS,
        "A dedicated key does what dkey_NAME says, its value plain or nested XML",
        "all",
        "templates of public provisioning systems (wazo-provd-plugins, FusionPBX)",
        "M",
        (
            "keys::test_a_dedicated_key_of_a_document_opens_its_url",
            "keys::test_the_command_line_knows_a_dedicated_key_by_its_names",
        ),
    ),
    PhoneRule(
        _KEYS,
        "F1 to F4 do what context_key of idx 0 to 3 says while no page is shown, or "
        "gui_fkey1 to 4 where that is not set",
        "gui_fkey: 10.1.25.0 to 10.1.49.11; context_key: from 10.1.51.12 at the latest",
        "wazo-provd-plugins, thread 313; Tancredi, dump of 10.1.25.0",
        "M",
        ("keys::test_the_keys_under_the_screen_open_theirs_while_no_page_is_shown",),
    ),
    PhoneRule(
        _KEYS,
        "phone:// is snom://; what stands in their fragment would change a real phone, "
        "and is told",
        "all",
        'vendor page "Fragments"',
        "H",
        ("browser::test_phone_and_snom_commands_are_one",),
    ),
    PhoneRule(
        _KEYS,
        "IPPhone roots without Snom, and IPPhoneSilent, which shows nothing",
        "all here; the vendor names 10.1.82.0 for Silent",
        'vendor page "XML Minibrowser"; fspbx',
        "H",
        ("browser::test_a_silent_page_leaves_the_screen_and_fetches_the_next",),
    ),
    PhoneRule(
        _DIRECTORY,
        "In a filter % is what begins with the typed text; later the text alone",
        f"later: from {since.LDAP_SUBSTRINGS.since}",
        since.LDAP_SUBSTRINGS.source,
        "M",
        ("ldap::test_what_the_percent_sign_means_depends_on_the_firmware",),
    ),
    PhoneRule(
        _DIRECTORY,
        "A bare % on later firmware is a doubt that is said",
        f"from {since.LDAP_SUBSTRINGS.since}",
        "the vendor says that most old filters still work",
        "L",
        ("ldap::test_a_bare_percent_sign_on_new_firmware_is_a_doubt",),
    ),
    PhoneRule(
        _WAY,
        "Secrets and certificates that came by plain HTTP, or from a server that was "
        "not authenticated, are taken and warned of",
        "all",
        "seed, Uploading the Phone Certificate (a trusted environment); the warning is "
        "linekey's own",
        "H",
        (
            "machine::test_secrets_that_came_by_an_open_way_are_warned_of_by_setting_and_url",
        ),
    ),
    PhoneRule(
        _WAY,
        "A user_outbound or user_host that speaks of TLS and cannot be read is refused",
        "all",
        "linekey's own: a phone must not register in plain by a misprint",
        "L",
        ("account::test_no_spelling_that_contains_tls_gives_plaintext",),
    ),
    PhoneRule(
        _WAY,
        "user_outbound is a list by comma; an empty entry is none, the others stand in",
        "from 8.7",
        "FusionPBX, thread 6603",
        "M",
        ("account::test_an_outbound_is_a_list_whose_empty_entries_are_none",),
    ),
)
