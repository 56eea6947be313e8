"""What the phone's SIP lines do: a part of the table in ``phone.rules``."""

from typing import Final

from linekey.phone.rule import FACTS, PhoneRule

_SIP: Final = "SIP lines"

SIP_RULES: Final = (
    PhoneRule(
        _SIP,
        "A SIP server's name is checked as any other's, with OpenSSL's host flags: "
        "a wildcard will do, which RFC 5922 §7.2 forbids; a SAN URI sip:… alone "
        "will not, which its §7.1 takes",
        "all",
        f"{FACTS} §3 (host_name_validation_flags are OpenSSL's), read on",
        "L",
        (
            "judge::test_a_sip_server_is_named_as_a_web_server_is_not_as_rfc_5922_has_it",
        ),
    ),
    PhoneRule(
        _SIP,
        "Every Contact carries reg-id=1 and +sip.instance, a UUID that ends in the MAC",
        "all",
        "public traces of Snom phones; RFC 5626 §4.1",
        "M",
        (
            "registration::test_every_connection_registers_one_and_the_same_contact_of_the_phone",
            "kamailio::test_broken_connections_leave_one_binding_and_lock_no_phone_out",
        ),
    ),
    PhoneRule(
        _SIP,
        "That UUID is version 1 at time 0, which RFC 5626 lets a device with a MAC "
        "take; in traces of Snom phones the rest is random. Supported says outbound",
        "all",
        "linekey's own",
        "L",
        ("registration::test_the_instance_is_a_uuid_of_the_mac_by_rfc_5626",),
    ),
    PhoneRule(
        _SIP,
        "A missing pong ends a connection only where the server said that it answers "
        "pings, or has answered one on it",
        "all",
        "RFC 5626 §4.4; RFC 6223",
        "L",
        (
            "registration::test_a_server_that_never_answered_a_ping_stays_connected",
            "kamailio::test_silence_after_a_ping_means_a_dead_server_only_where_it_answered_one",
        ),
    ),
)
