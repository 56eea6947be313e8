"""What the virtual phone does, rule by rule: on whose word, from which firmware.

``tools.reference_pages`` writes docs/reference/fidelity.md from ``RULES``; a rule names
the tests that hold it, and tests/docs that they exist. What is inference says "guessed"
(confidence L). Versions come from the catalogue, so the page cannot disagree with it.
"""

from dataclasses import dataclass
from typing import Final

from linekey.catalog import settings_rules as since
from linekey.catalog.evidence import Confidence


@dataclass(frozen=True, slots=True)
class PhoneRule:
    """One thing the phone does; ``shown_by`` names tests by their functions."""

    part: str
    rule: str
    firmware: str
    source: str
    confidence: Confidence
    shown_by: tuple[str, ...]


def _from(rule: since.SinceRule) -> str:
    return f"from {rule.since}"


_FLAGS: Final = "SNOM-FILES, Permission Flags"

_BUILTIN = "Built-in certificate"
_SERVER_AUTH = "Server authentication"
_STORE = "Trust store"
_UPLOAD = "Manual upload"
_CERTIFICATES = "Certificates by provisioning"
_SETTINGS_PART = "Settings"
_TLS = "TLS as the phone speaks it"
_FETCH = "Fetching settings"
_OURS = "linekey's own"
_SIP = "SIP lines"
_KEYS = "Keys and minibrowser"
_DIRECTORY = "Directory (LDAP)"
_WAY = "The way of secrets"
_OTHERS = "Every other maker's phone"
_YEALINK = "Yealink"
_POLY = "Poly"
_GRANDSTREAM = "Grandstream"
_GIGASET = "Gigaset"

RULES: Final = (
    # --- the built-in certificate
    PhoneRule(
        _BUILTIN,
        "Each model shows the certificate it is produced with: SHA-1 and "
        "RSA-1024, or SHA-2 and RSA-2048",
        "all",
        "SNOM-TLS, Authentication of the devices; Phone's Web Server Certificate",
        "H",
        (
            "test_every_model_shows_its_built_in_certificate_out_of_the_box",
            "test_a_phone_boots_proves_itself_and_gets_its_settings",
        ),
    ),
    PhoneRule(
        _BUILTIN,
        "300, 320, 370, PA1 and MP show one common certificate without a MAC",
        "all",
        "SNOM-TLS, Authentication of the devices, Warning",
        "H",
        ("test_a_lab_phone_needs_no_identity_file_and_keeps_the_one_it_got",),
    ),
    PhoneRule(
        _BUILTIN,
        "A patch made for one device brings its SHA-2 certificate; it is refused "
        "for another MAC, below the model's SHA-2 firmware, and on SHA-1-only models",
        f"SHA-2 {_from(since.SHA2)}",
        "SNOM-TLS, Upgrade to SHA-2; table of models; when it is refused: read on",
        "M",
        (
            "test_a_patch_is_for_models_and_firmware_that_can_use_it",
            "test_a_patch_for_another_phone_is_refused",
            "test_a_patch_that_was_altered_is_refused",
        ),
    ),
    PhoneRule(
        _BUILTIN,
        "The patch's file format is linekey's own, the vendor's is not public",
        "all",
        _OURS,
        "L",
        ("test_a_patch_is_read_as_it_was_made",),
    ),
    PhoneRule(
        _BUILTIN,
        "Once patched, the phone shows the SHA-2 certificate unless "
        "phone_cert_type says sha1; not before 8.9.3.40, and up to 8.9.3.59 only if "
        "phone_cert_type says so; a factory reset does not undo the patch",
        "all",
        "SNOM-TLS, Upgrade to SHA-2, read on",
        "L",
        ("test_a_patch_makes_the_phone_show_its_sha2_certificate",),
    ),
    PhoneRule(
        _BUILTIN,
        "phone_cert_type chooses the certificate",
        _from(since.PHONE_CERT_TYPE),
        "SNOM-TLS, Phone's Web Server Certificate",
        "H",
        ("test_phone_cert_type_chooses_between_the_certificates_a_phone_has",),
    ),
    PhoneRule(
        _BUILTIN,
        "Its values are best, sha256 and sha1; any other is ignored",
        "all",
        "SNOM-DUMP, a D785 with 10.1.25.0, for best; guesses",
        "L",
        ("test_phone_cert_type_chooses_between_the_certificates_a_phone_has",),
    ),
    PhoneRule(
        _BUILTIN,
        "webservice_cert (also webserver_cert) holds the operator's own "
        "certificate, for connections and pages",
        "all",
        "SNOM-TLS, Uploading the Phone Certificate",
        "H",
        ("test_the_operators_own_certificate_wins_under_both_names",),
    ),
    PhoneRule(
        _BUILTIN,
        "Its value is PEM: certificate, intermediates, key; one that cannot be "
        "read changes nothing",
        "all",
        "SNOM-SETTING",
        "M",
        ("test_an_own_certificate_that_cannot_be_read_changes_nothing_and_is_said",),
    ),
    PhoneRule(
        _BUILTIN,
        "empty_tls_client_cert shows none to servers",
        "all",
        "SNOM-SETTING",
        "L",
        (
            "test_an_empty_client_certificate_is_warned_of",
            "test_a_phone_that_shows_no_certificate_is_refused_by_a_server_that_needs_one",
        ),
    ),
    # --- server authentication
    PhoneRule(
        _SERVER_AUTH,
        "8.x verifies no server by default",
        "8.x",
        "SNOM-TLS, Server Authentication, Version 8.x",
        "H",
        ("test_8_x_accepts_any_server_by_default_and_says_what_that_means",),
    ),
    PhoneRule(
        _SERVER_AUTH,
        "It can be activated; then only a factory reset clears it",
        _from(since.SERVER_AUTH_SETTING),
        "SNOM-TLS, Server Authentication, Version 8.x",
        "H",
        (
            "test_server_authentication_by_branch_is_sticky_until_a_factory_reset",
            "test_8_x_with_authentication_activated_refuses_as_10_x_does",
        ),
    ),
    PhoneRule(
        _SERVER_AUTH,
        "10.x always verifies, and this cannot be disabled",
        _from(since.SERVER_AUTH_FORCED),
        "SNOM-TLS, Server Authentication, Version 10.x",
        "H",
        ("test_server_authentication_by_branch_is_sticky_until_a_factory_reset",),
    ),
    PhoneRule(
        _SERVER_AUTH,
        "check_fqdn_against_server_cert: off by default in 8.x, on in 10.x; "
        "without effect in 8.x while authentication is off",
        _from(since.CHECK_FQDN),
        since.CHECK_FQDN.source,
        "H",
        (
            "test_name_checking_has_its_firmwares_defaults",
            "test_check_fqdn_does_nothing_where_the_firmware_has_it_not_and_says_so",
        ),
    ),
    PhoneRule(
        _SERVER_AUTH,
        "host_name_validation_flags is a sum of OpenSSL's flags; 2 by "
        f"default before {since.HOST_FLAGS_DEFAULT.since}, then 0",
        _from(since.HOST_FLAGS),
        "SNOM-SETTING",
        "H",
        ("test_name_checking_has_its_firmwares_defaults",),
    ),
    PhoneRule(
        _SERVER_AUTH,
        "A value that is no such sum leaves the default",
        "all",
        _OURS,
        "L",
        ("test_a_flag_sum_that_is_none_leaves_the_default",),
    ),
    PhoneRule(
        _SERVER_AUTH,
        "Odd certificates (dates without seconds, odd serial numbers and versions, "
        "extensions that stand twice) are judged as by the row's line of OpenSSL, and "
        "taken where no server is authenticated; dates as 1.0.2s for 1.0.2, where "
        "1.0.2o reads more",
        "all",
        "OpenSSL 1.0.1u, 1.0.2o, 1.0.2s and 1.1.1k, measured; a row's letter: read on",
        "L",
        (
            "test_an_odd_certificate_gets_the_verdict_of_its_line",
            "test_the_phone_goes_on_with_what_its_own_openssl_reads",
        ),
    ),
    PhoneRule(
        _SERVER_AUTH,
        "RSA sizes and exponents, hashes and curves of issuers are judged as by the "
        "row's line of OpenSSL. MD4, and curves spelled out that are none of P-256, "
        "P-384 and P-521, cannot be checked here: refused, and said so, though the "
        "lines take them",
        "all",
        "OpenSSL 1.0.1u, 1.0.2o, 1.0.2s and 1.1.1k, measured; a row's letter: read on",
        "L",
        (
            "test_each_key_hash_and_curve_gets_the_verdict_of_its_line",
            "test_phone_and_check_say_what_the_line_does",
        ),
    ),
    PhoneRule(
        _SERVER_AUTH,
        "A server called by its address must have it as SAN iPAddress; a CN "
        "does not do",
        "all",
        "SNOM-SETTING",
        "H",
        ("test_the_server_sees_the_right_alert_and_the_phone_says_why",),
    ),
    # --- trust store
    PhoneRule(
        _STORE,
        "The authorities are those of the phone's maker, and Mozilla's list as of the "
        "firmware (H), read-only",
        "all",
        "SNOM-TLS, Adding Unknown Certificates (picture of the tab)",
        "M",
        (
            "test_an_uploaded_certificate_can_be_removed_and_an_authority_cannot",
            "test_the_authorities_are_the_makers_and_mozillas_list_of_the_firmware",
        ),
    ),
    PhoneRule(
        _STORE,
        "Where only bounds of the firmware's date are known, the newest list that it "
        "may have stands in; where the oldest would decide otherwise, the verdict says "
        "so",
        "all",
        _OURS,
        "L",
        ("test_a_verdict_that_hangs_on_the_firmwares_date_says_so_first",),
    ),
    PhoneRule(
        _STORE,
        "A refused server certificate is listed as unknown, with when, which "
        "connection and why",
        "all",
        "SNOM-TLS, Adding Unknown Certificates",
        "H",
        ("test_a_refused_certificate_is_shelved_with_when_which_connection_and_why",),
    ),
    PhoneRule(
        _STORE,
        "An exception accepts that very certificate and no other",
        "all",
        "SNOM-TLS, Adding Unknown Certificates",
        "H",
        (
            "test_an_exception_accepts_that_very_certificate_and_no_other",
            "test_nginx_under_an_unknown_ca_needs_an_exception_first",
        ),
    ),
    PhoneRule(
        _STORE,
        "A refused connection shows a notification with what to do",
        "all",
        "SNOM-TLS, Adding Unknown Certificates (its words: ours)",
        "M",
        (
            "test_a_notification_can_be_read_away",
            "test_the_server_sees_the_right_alert_and_the_phone_says_why",
        ),
    ),
    PhoneRule(
        _STORE,
        "Settings, tabs and log survive a restart and a crash",
        "all",
        _OURS,
        "M",
        ("test_a_killed_phone_has_everything_it_had_and_runs_again",),
    ),
    PhoneRule(
        _STORE,
        "A factory reset leaves what the factory gave",
        "all",
        "SNOM-TLS, Server Authentication; extent: ours",
        "M",
        ("test_a_factory_reset_keeps_what_the_factory_gave_and_nothing_else",),
    ),
    # --- upload
    PhoneRule(
        _UPLOAD,
        "Only in admin mode, DER, signed by an accepted authority or server "
        "certificate; else refused, with the reason in the log",
        "all",
        "SNOM-TLS, Manually Uploading Certificates",
        "H",
        (
            "test_a_manual_upload_is_taken_or_refused_with_the_reason_in_the_log",
            "test_any_upload_is_answered_with_a_reason",
        ),
    ),
    # --- certificates by provisioning
    PhoneRule(
        _CERTIFICATES,
        "A certificate by url is fetched after all documents",
        "all",
        "SNOM-TLS, Uploading Server Certificates via Provisioning",
        "H",
        ("test_a_certificate_by_url_comes_after_all_documents_and_helps_none_of_them",),
    ),
    PhoneRule(
        _CERTIFICATES,
        "A base64 certificate is available at once; older firmware ignores it",
        _from(since.BASE64_CERTIFICATES),
        "SNOM-TLS, Uploading Server Certificates via Provisioning",
        "H",
        (
            "test_a_later_document_of_the_same_round_profits_from_a_base64_certificate",
            "test_base64_and_the_signed_by_rule_begin_and_end_per_branch",
        ),
    ),
    PhoneRule(
        _CERTIFICATES,
        "A provisioned certificate must be signed by one the phone trusts",
        f"until {since.SIGNED_BY.since}",
        "SNOM-TLS, Uploading Server Certificates via Provisioning",
        "H",
        (
            "test_base64_and_the_signed_by_rule_begin_and_end_per_branch",
            "test_before_the_rule_ended_a_certificate_signed_by_an_authority_is_taken",
        ),
    ),
    PhoneRule(
        _CERTIFICATES,
        "A downloaded certificate must be DER",
        "all",
        "SNOM-TLS, Uploading Server Certificates via Provisioning",
        "H",
        (
            "test_a_downloaded_file_that_is_no_der_certificate_is_refused_with_its_reason",
        ),
    ),
    PhoneRule(
        _CERTIFICATES,
        "BEGIN and END lines and white space are read over; a private key "
        "inside is not kept, and said loudly",
        "all",
        "SNOM-FILES",
        "M",
        (
            "test_a_private_key_in_a_document_is_shouted_about_and_never_kept",
            "test_broken_base64_is_refused_and_the_rest_of_the_document_holds",
        ),
    ),
    # --- settings
    PhoneRule(
        _SETTINGS_PART,
        "perm: R, & and one blank are read-only; RW, $ and empty are "
        "overwritten; ! spares what the user set",
        "all",
        _FLAGS,
        "H",
        (
            "test_a_read_only_setting_cannot_be_changed_on_the_phone",
            "test_a_writable_setting_is_the_users_until_provisioning_overwrites_it",
            "test_an_exclamation_mark_sets_only_what_the_user_has_not_set",
        ),
    ),
    PhoneRule(
        _SETTINGS_PART,
        "perm V is volatile, gone at a reboot",
        "10.1.79.0 (read for all)",
        _FLAGS,
        "M",
        ("test_a_volatile_setting_is_gone_after_a_reboot",),
    ),
    PhoneRule(
        _SETTINGS_PART,
        "Unknown settings and sections are kept and listed",
        "all",
        "SNOM-FILES",
        "M",
        ("test_every_part_is_read_and_what_is_left_out_is_said",),
    ),
    PhoneRule(
        _SETTINGS_PART,
        "Each section may be a document of its own",
        "all",
        "SNOM-FILES",
        "H",
        ("test_each_section_may_be_a_document_of_its_own",),
    ),
    PhoneRule(
        _SETTINGS_PART,
        "Documents name further documents; depth, count and repetition "
        "are limited (the limits are ours)",
        "all",
        "SNOM-FILES",
        "M",
        (
            "test_documents_name_further_documents_which_come_in_order_and_once",
            "test_documents_that_name_each_other_for_ever_come_to_an_end",
        ),
    ),
    PhoneRule(
        _SETTINGS_PART,
        "Entities, bombs, depth and size are refused without harm",
        "all",
        _OURS,
        "M",
        (
            "test_hostile_xml_is_refused_with_the_documented_error",
            "test_any_document_is_read_or_is_the_documented_error",
        ),
    ),
    # --- fetching
    PhoneRule(
        _FETCH,
        "setting_server: the model's document, then the phone's own; {mac}; file names",
        "all",
        "SNOM-SETTING",
        "H",
        (
            "test_setting_server_names_the_documents",
            "test_a_phone_boots_proves_itself_and_gets_its_settings",
        ),
    ),
    PhoneRule(
        _FETCH,
        "What is a file name in setting_server, and the derived name",
        "all",
        "SNOM-SETTING, read on",
        "L",
        ("test_setting_server_names_the_documents",),
    ),
    PhoneRule(
        _FETCH,
        "The User-Agent has the shape of its firmware, without the build's own words "
        "in the middle, and can be replaced",
        "all",
        "SNOM-AGENT",
        "M",
        ("test_the_user_agent_has_the_shape_of_its_firmware",),
    ),
    PhoneRule(
        _FETCH,
        "Digest (MD5, SHA-256) before basic, from http_client_user and _pass",
        "all",
        "SNOM-SETTING; RFC 7616",
        "M",
        ("test_digest_is_answered_before_basic_also_after_a_stale_nonce",),
    ),
    PhoneRule(
        _FETCH,
        "A failed round is tried again, later and later",
        "all",
        _OURS,
        "L",
        ("test_retries_grow_are_bounded_and_spread_over_the_fleet",),
    ),
    PhoneRule(
        _FETCH,
        "settings_refresh_timer fetches the settings again",
        "all",
        "SNOM-SETTING",
        "M",
        ("test_the_refresh_timer_is_kept_within_reason",),
    ),
    PhoneRule(
        _FETCH,
        "The firmware file that the document of firmware_status names is fetched over "
        "HTTPS, by itself where update_policy is auto_update; nothing is installed",
        "all",
        "SNOM-FILES, Firmware Configuration File; SNOM-SETTING, update_policy",
        "H",
        (
            "test_firmware_status_names_the_document_that_names_the_file",
            "test_a_policy_may_forbid_it",
            "test_firmware_is_named_by_a_document_and_fetched_whole_from_nginx",
        ),
    ),
    PhoneRule(
        _FETCH,
        "Where update_policy is not set, somebody has to ask for the firmware; a "
        "<firmware-settings> among the settings counts before firmware_status",
        "all",
        "inference",
        "L",
        (
            "test_without_auto_update_somebody_has_to_ask",
            "test_the_file_may_be_named_among_the_settings_relative_or_by_mac",
        ),
    ),
    # --- TLS
    PhoneRule(
        _TLS,
        "Versions are the matrix row's, and suites all that its columns mean; what the "
        "engine cannot speak is said in the log and never swapped",
        "by model and firmware",
        "SNOM-TLS, Supported Cipher Suites; columns read as OpenSSL's",
        "M",
        (
            "test_the_phone_offers_what_its_row_says_and_names_what_it_cannot",
            "test_a_server_without_a_common_version_is_refused_and_nothing_is_swapped",
            "test_a_phone_whose_suites_no_engine_speaks_says_so_and_lives",
            "test_openssl_s_server_serves_phones_of_every_age",
        ),
    ),
    PhoneRule(
        _TLS,
        "The hello is the one derived from the matrix row; where OpenSSL cannot, the "
        "log names each difference",
        "all",
        "SNOM-TLS, Supported Cipher Suites; OpenSSL's defaults of the row's line",
        "L",
        ("test_the_wire_is_the_derived_hello_but_for_exactly_what_the_log_says",),
    ),
    PhoneRule(
        _TLS,
        "Rows that speak TLS 1.2 send a host name as SNI, older ones none; an address "
        "is never sent",
        "all",
        "RFC 6066 §3; which firmware sends a name is not known",
        "L",
        (
            "test_the_wire_is_the_derived_hello_but_for_exactly_what_the_log_says",
            "test_an_address_is_never_sent_as_a_server_name",
        ),
    ),
    PhoneRule(
        _TLS,
        "A server without any certificate (an anonymous suite) is taken only while "
        "server authentication is off",
        "8.x",
        "SNOM-TLS, Supported Cipher Suites (authentication NULL)",
        "M",
        (
            "test_a_server_without_any_certificate_is_taken_only_where_nobody_is_authenticated",
        ),
    ),
    PhoneRule(
        _TLS,
        "The phone shows its certificate to a server that asks",
        "all",
        "SNOM-TLS, TLS handshake overview",
        "H",
        ("test_nginx_knows_the_phone_by_its_certificate_and_gives_it_its_own_file",),
    ),
    PhoneRule(
        _TLS,
        "A server's SHA-2 chain is taken, with a doubt where the maker's table has "
        "SHA-1 alone for the phone's own certificate",
        f"SHA-2 {_from(since.SHA2)}",
        "SNOM-TLS, Authentication of the devices, which speaks of the phone's own",
        "L",
        ("test_a_sha2_chain_is_taken_with_a_doubt_where_the_table_has_sha1_alone",),
    ),
    PhoneRule(
        _TLS,
        "It is a TLS client for SIP, provisioning, action URLs, function keys, the "
        "minibrowser and LDAP; and for 802.1X",
        "all",
        "SNOM-TLS, TLS handshake overview; 802.1X: its tab, SNOM-TLS, Adding Unknown "
        "Certificates",
        "H",
        (
            "test_the_phone_registers_with_its_certificate_is_reached_and_unregisters",
            "test_nginx_knows_the_phone_by_its_certificate_and_gives_it_its_own_file",
            "test_an_action_url_is_fetched_expanded_and_its_page_shown",
            "test_function_keys_and_the_minibrowser_work_with_mutual_tls",
            "test_the_phone_proves_itself_binds_and_finds",
            "test_the_phone_logs_in_with_its_certificate",
        ),
    ),
    PhoneRule(
        _TLS,
        "A Diffie-Hellman group of fewer than 1024 bits is refused with "
        "handshake_failure, as by the last 1.0.1 and 1.0.2; older lines take it, "
        "which the engine cannot, and the log says so",
        "all",
        "OpenSSL 1.0.1u, 1.0.2o, 1.0.2s and 1.1.1k, measured; older: its change log",
        "L",
        (
            "test_phone_and_check_refuse_the_groups_that_their_line_refuses",
            "test_a_row_without_the_limit_says_what_its_engine_cannot",
        ),
    ),
    PhoneRule(
        _TLS,
        "A server that asks for a second handshake (renegotiation) is refused with "
        "that reason and its cure; phones' OpenSSL follows it",
        "all",
        "OpenSSL 1.0.1 to 1.1.1, SSL_renegotiate(3); RFC 5246 §7.4.1.1",
        "M",
        (
            "test_a_setting_server_that_renegotiates_is_told_as_that",
            "test_a_page_behind_a_renegotiation_is_told_as_that",
            "test_a_directory_that_renegotiates_is_told_as_that",
            "test_a_registrar_that_renegotiates_is_told_as_that",
        ),
    ),
    PhoneRule(
        _TLS,
        "Validity is judged by the phone's own clock",
        "all",
        "RFC 5280 §6.1",
        "M",
        ("test_validity_is_judged_by_the_phones_clock",),
    ),
    PhoneRule(
        _TLS,
        "No revocation list is looked at",
        "all",
        "SNOM-TLS, Limitations",
        "H",
        ("test_no_revocation_list_is_ever_looked_at",),
    ),
    PhoneRule(
        _TLS,
        "No certificate lifecycle management, such as SCEP: certificates come by "
        "provisioning, upload and patch alone",
        "all",
        "SNOM-TLS, Limitations",
        "H",
        ("test_limitations_of_the_seed_are_standing_rules",),
    ),
    PhoneRule(
        _TLS,
        "The alert on the wire is the one of OpenSSL's table",
        "all",
        "OpenSSL, ssl_x509err2alert",
        "M",
        ("test_openssl_sees_the_alert_that_says_why",),
    ),
    PhoneRule(
        _TLS,
        "Its pages show the certificate it shows to servers; a browser or openssl "
        "can fetch it",
        "all",
        "SNOM-TLS, Uploading the Phone Certificate",
        "H",
        ("test_curl_and_openssl_can_fetch_the_phones_certificate_from_its_pages",),
    ),
    PhoneRule(
        _TLS,
        "Any server flight is a handshake or one documented error, and the phone "
        "keeps running",
        "all",
        _OURS,
        "M",
        (
            "test_any_server_flight_is_a_handshake_or_the_documented_error",
            "test_a_server_that_answers_nonsense_is_the_one_documented_error",
        ),
    ),
    # --- SIP lines
    PhoneRule(
        _SIP,
        "A SIP server's name is checked as any other's, with OpenSSL's host flags: "
        "a wildcard will do, which RFC 5922 §7.2 forbids; a SAN URI sip:… alone "
        "will not, which its §7.1 takes",
        "all",
        "SNOM-SETTING (host_name_validation_flags are OpenSSL's), read on",
        "L",
        ("test_a_sip_server_is_named_as_a_web_server_is_not_as_rfc_5922_has_it",),
    ),
    PhoneRule(
        _SIP,
        "The User-Agent in SIP is model and firmware, and the MAC behind them where "
        "mac_info_in_sip_register is on; http_user_agent_string is HTTP's alone (L)",
        "all (seen of 10.1)",
        "SNOM-AGENT",
        "M",
        ("test_the_user_agent_in_sip_is_model_and_firmware",),
    ),
    PhoneRule(
        _SIP,
        "A line that speaks of no TLS registers without. A real phone may find TLS by "
        "DNS (NAPTR) where no outbound proxy is set; this one asks for addresses alone",
        "all",
        "TRAUD-SNOM, for NAPTR",
        "L",
        ("test_outbound_says_where_and_how",),
    ),
    PhoneRule(
        _SIP,
        "Every Contact carries reg-id=1 and +sip.instance, a UUID that ends in the MAC",
        "all",
        "SNOM-AGENT; RFC 5626 §4.1",
        "M",
        (
            "test_every_connection_registers_one_and_the_same_contact_of_the_phone",
            "test_broken_connections_leave_one_binding_and_lock_no_phone_out",
        ),
    ),
    PhoneRule(
        _SIP,
        "That UUID is version 1 at time 0, which RFC 5626 lets a device with a MAC "
        "take; in traces of Snom phones the rest is random. Supported says outbound",
        "all",
        "linekey's own",
        "L",
        ("test_the_instance_is_a_uuid_of_the_mac_by_rfc_5626",),
    ),
    PhoneRule(
        _SIP,
        "A missing pong ends a connection only where the server said that it answers "
        "pings, or has answered one on it",
        "all",
        "RFC 5626 §4.4; RFC 6223",
        "L",
        (
            "test_a_server_that_never_answered_a_ping_stays_connected",
            "test_silence_after_a_ping_means_a_dead_server_only_where_it_answered_one",
        ),
    ),
    # --- keys, pages, the directory, open ways
    PhoneRule(
        _KEYS,
        "A dedicated key does what dkey_NAME says, its value plain or nested XML",
        "all",
        "PBX-TEMPLATES (PBX-WAZO, PBX-FUSION)",
        "M",
        (
            "test_a_dedicated_key_of_a_document_opens_its_url",
            "test_the_command_line_knows_a_dedicated_key_by_its_names",
        ),
    ),
    PhoneRule(
        _KEYS,
        "F1 to F4 do what context_key of idx 0 to 3 says while no page is shown, or "
        "gui_fkey1 to 4 where that is not set",
        "gui_fkey: 10.1.25.0 to 10.1.49.11; context_key: from 10.1.51.12 at the latest",
        "PBX-WAZO, thread 313; SNOM-DUMP, 10.1.25.0",
        "M",
        ("test_the_keys_under_the_screen_open_theirs_while_no_page_is_shown",),
    ),
    PhoneRule(
        _KEYS,
        "phone:// is snom://; what stands in their fragment would change a real phone, "
        "and is told",
        "all",
        "SNOM-XML, Fragments",
        "H",
        ("test_phone_and_snom_commands_are_one",),
    ),
    PhoneRule(
        _KEYS,
        "IPPhone roots without Snom, and IPPhoneSilent, which shows nothing",
        "all here; the vendor names 10.1.82.0 for Silent",
        "SNOM-XML; fspbx",
        "M",
        ("test_a_silent_page_leaves_the_screen_and_fetches_the_next",),
    ),
    PhoneRule(
        _DIRECTORY,
        "In a filter % is what begins with the typed text; later the text alone",
        f"later: from {since.LDAP_SUBSTRINGS.since}",
        since.LDAP_SUBSTRINGS.source,
        "M",
        ("test_what_the_percent_sign_means_depends_on_the_firmware",),
    ),
    PhoneRule(
        _DIRECTORY,
        "A bare % on later firmware is a doubt that is said",
        f"from {since.LDAP_SUBSTRINGS.since}",
        "SNOM-LDAP: most old filters still work",
        "L",
        ("test_a_bare_percent_sign_on_new_firmware_is_a_doubt",),
    ),
    PhoneRule(
        _WAY,
        "Secrets and certificates that came by plain HTTP, or from a server that was "
        "not authenticated, are taken and warned of",
        "all",
        "SNOM-TLS, Uploading the Phone Certificate (a trusted environment); the "
        "warning is linekey's own",
        "M",
        ("test_secrets_that_came_by_an_open_way_are_warned_of_by_setting_and_url",),
    ),
    PhoneRule(
        _WAY,
        "A user_outbound or user_host that speaks of TLS and cannot be read is refused",
        "all",
        "linekey's own: a phone must not register in plain by a misprint",
        "L",
        ("test_no_spelling_that_contains_tls_gives_plaintext",),
    ),
    PhoneRule(
        _WAY,
        "user_outbound is a list by comma; an empty entry is none, the others stand in",
        "from 8.7",
        "PBX-FUSION, thread 6603",
        "M",
        ("test_an_outbound_is_a_list_whose_empty_entries_are_none",),
    ),
    # --- other makers' phones
    PhoneRule(
        _OTHERS,
        "What it speaks is a stand-in: the hello of the newest row of Snom's matrix. "
        "Versions, suites, curves, key types and hashes of no model are known; its log "
        "says so at power-on",
        "all",
        "inference: nobody tells it",
        "L",
        (
            "test_another_makers_phone_is_unknown_but_for_its_makers_defaults",
            "test_the_log_says_that_the_hello_is_a_stand_in",
        ),
    ),
    PhoneRule(
        _OTHERS,
        "Its built-in CAs are not known: Mozilla's newest list stands in",
        "all",
        "inference: nobody tells it",
        "L",
        ("test_the_roots_of_another_makers_phone_are_a_stand_in",),
    ),
    PhoneRule(
        _OTHERS,
        "Nothing is applied before all files are in; a later file wins over an earlier "
        "one, but for Poly's",
        "all",
        "PBX-TEMPLATES (Yealink, M); read on for the others",
        "L",
        ("test_yealink_without_a_boot_file_takes_the_models_and_its_own",),
    ),
    PhoneRule(
        _OTHERS,
        "What it shows when a server is refused, and when it tries again, is not "
        "known: as Snom's virtual phone, it tries again after a growing time",
        "all",
        "inference: nobody tells it",
        "L",
        ("test_a_lost_connection_ends_in_a_state_and_a_next_try",),
    ),
    PhoneRule(
        _OTHERS,
        "Its pages, display and minibrowser are those of a Snom; the real ones are not "
        "played",
        "all",
        _OURS,
        "L",
        ("test_each_makers_phone_is_provisioned_and_registered",),
    ),
    PhoneRule(
        _YEALINK,
        "Asks for its boot file, the boot file of all, the model's file, its own; a "
        "boot file that came replaces the rest by its includes, in order",
        "from V81; before, no boot file",
        "YEALINK-GUIDE p. 126, 136",
        "H",
        (
            "test_yealink_asks_for_boot_files_first",
            "test_yealinks_boot_file_replaces_the_rest_by_its_includes_in_order",
            "test_yealink_before_v81_knows_no_boot_file",
        ),
    ),
    PhoneRule(
        _YEALINK,
        "Asks three times for a file that is missing",
        "all",
        "PBX-TEMPLATES, note on auto provisioning",
        "M",
        ("test_yealink_without_a_boot_file_takes_the_models_and_its_own",),
    ),
    PhoneRule(
        _YEALINK,
        "Checks the chain by default, the name not; trust_certificates, cn_validation "
        "and ca_cert say otherwise; the restart that they need is not played",
        "all",
        "YEALINK-GUIDE T48G p. 217; PBX-FUSION",
        "M",
        (
            "test_what_linekey_writes_has_the_phone_verify_chain_and_name",
            "test_yealink_says_which_cas_count",
            "test_a_ca_that_is_given_does_not_count_by_yealinks_default",
        ),
    ),
    PhoneRule(
        _YEALINK,
        "Fetches CAs by trusted_certificates.url, DER or PEM; several lines add up "
        "(not known)",
        "all",
        "YEALINK-GUIDE p. 940; adding up: read on",
        "L",
        ("test_what_linekey_writes_has_the_phone_verify_chain_and_name",),
    ),
    PhoneRule(
        _YEALINK,
        "A file with the MD5 of the last one is not applied again: not played; neither "
        "are encrypted files, RPS, PnP and -local.cfg",
        "all",
        "YEALINK-GUIDE; APG p. 41",
        "M",
        ("test_each_makers_phone_is_provisioned_and_registered",),
    ),
    PhoneRule(
        _POLY,
        "Asks for its master, else the master of all, then what that names, then its "
        "own changes, licences and directory; the first file named wins",
        "UCS 4 and later",
        "POLY-UCS, SIP 3.1 guide appendix A; PBX-WAZO",
        "M",
        (
            "test_poly_asks_for_its_master_and_then_the_one_for_all",
            "test_poly_takes_what_its_master_names_and_the_first_wins",
            "test_polys_common_master_serves_a_phone_without_its_own",
        ),
    ),
    PhoneRule(
        _POLY,
        "PUTs its boot log as it starts and its application's log at the end of a "
        "round; the HEAD before it is left out",
        "all",
        "PBX-WAZO; PBX-FSPBX",
        "M",
        ("test_poly_sends_its_logs_and_goes_on_whatever_the_server_says",),
    ),
    PhoneRule(
        _POLY,
        "Always checks the chain; checks the name unless "
        "strictCertCommonNameValidation is 0 (its default is not known, read as 1); "
        "one switch stands for provisioning and SIP",
        "all",
        "PBX-FUSION, pull request 4315",
        "L",
        ("test_poly_has_no_switch_for_it", "test_the_name_check_can_be_switched_off"),
    ),
    PhoneRule(
        _POLY,
        "All customCaCert count, whatever the profiles bind",
        "all",
        "PBX-FUSION; PBX-FSPBX, read on",
        "L",
        ("test_what_linekey_writes_has_the_phone_verify_chain_and_name",),
    ),
    PhoneRule(
        _GRANDSTREAM,
        "Asks for the packed file, its own, the model's, the one for all; the first "
        "that comes ends the list, unless P8467 is 1; a packed file is not read",
        "all",
        "GRANDSTREAM-GUIDE; which one ends it: read on",
        "M",
        (
            "test_grandstream_asks_for_the_packed_file_first",
            "test_grandstream_stops_at_the_first_that_comes",
            "test_grandstream_takes_all_files_with_p8467",
        ),
    ),
    PhoneRule(
        _GRANDSTREAM,
        "Checks neither chain nor name by default, HT8xx the chain; P8463 and P22030 "
        "switch them on, for SIP as well (the accounts' own switches are not played)",
        "all",
        "PBX-FUSION; PBX-FSPBX",
        "M",
        (
            "test_another_makers_phone_is_unknown_but_for_its_makers_defaults",
            "test_verification_can_be_switched_off_where_the_maker_can",
        ),
    ),
    PhoneRule(
        _GRANDSTREAM,
        "Its certificate is of generation 2, P-384; which hash and key its leaf has "
        "nobody has told",
        "all",
        "MTLS-PROTECT",
        "L",
        ("test_ends_and_keys_are_those_of_the_real_authorities",),
    ),
    PhoneRule(
        _GIGASET,
        "Asks and reads as a Snom, with gigaset in the names of its files; its "
        "User-Agent and its firmware's numbers are not known",
        "all",
        "GIGASET-WIKI",
        "L",
        ("test_gigaset_is_snom_like",),
    ),
)
