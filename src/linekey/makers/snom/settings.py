"""What Snom calls each term, so that one record does for a mixed fleet.

Trust needs no setting: Snom's firmware verifies by itself, and its certificates stand
in the file's ``<certificates>``. Names: ``catalog.known_settings``.
"""

from collections.abc import Sequence
from typing import Any, Final

from linekey.makers.grammar import Line
from linekey.makers.maker import language_field
from linekey.makers.mapping import Field, How, Map


def _row(term: str, name: str, **more: Any) -> Field:
    return Field(
        term=term, names=(name,), source="SNOM-SETTING", confidence="H", **more
    )


MAP: Final = Map(
    (
        _row("any.account.user", "user_name[{n}]"),
        _row("any.account.auth_user", "user_pname[{n}]"),
        _row("any.account.password", "user_pass[{n}]"),
        _row("any.account.display_name", "user_realname[{n}]"),
        _row("any.account.label", "user_idle_text[{n}]"),
        _row("any.account.registrar", "user_host[{n}]"),
        _row("any.account.expires", "user_expiry[{n}]"),
        Field(
            term="any.directory.server", names=("ldap_server", "ldap_port"),
            how=How.HOST_PORT, source="SNOM-LDAP", confidence="H",
        ),
        _row("any.directory.base", "ldap_base"),
        _row("any.directory.user", "ldap_username"),
        _row("any.directory.password", "ldap_password"),
        _row("any.directory.transport", "ldap_over_tls",
             values=(("ldap", "off"), ("ldaps", "on"))),
        _row("any.directory.name_filter", "ldap_search_filter"),
        _row("any.directory.number_filter", "ldap_number_filter"),
        _row("any.provisioning.url", "setting_server"),
        _row("any.provisioning.user", "http_client_user"),
        _row("any.provisioning.password", "http_client_pass"),
        _row("any.provisioning.interval", "settings_refresh_timer"),
        _row("any.time.server", "ntp_server"),
        Field(term="any.time.zone", names=("timezone",),
              values=(("Europe/Berlin", "GER+1"),),
              source="SNOM-SETTING", confidence="M"),
        language_field("language", {"en": "English", "de": "Deutsch"},
                       "SNOM-SETTING", "M"),
        _row("any.admin.password", "admin_mode_password"),
    )
)  # fmt: skip

_SAVP: Final = {"off": "off", "optional": "optional", "required": "mandatory"}


def own(terms: Sequence[Line]) -> tuple[list[Line], list[str], list[Line]]:
    """Proxy and transport, which are one setting; SRTP, which is two; and keys.

    Keys are lines ``fkey`` of type and value; Snom counts them from 0.
    """
    lines: list[Line] = []
    rest: list[Line] = []
    parts: dict[int, dict[str, str]] = {}
    keys: dict[int, dict[str, str]] = {}
    for term in terms:
        idx, short = term.idx, term.name.rpartition(".")[2]
        if term.name.startswith("any.key.") and idx is not None:
            keys.setdefault(idx, {})[short] = term.value
            continue
        if term.name.startswith("any.account.") and idx is not None:
            parts.setdefault(idx, {})[short] = term.value
        if term.name == "any.account.srtp" and term.value in _SAVP:
            on = "off" if term.value == "off" else "on"
            lines.append(Line("user_srtp", on, idx))
            lines.append(Line("user_savp", _SAVP[term.value], idx))
        elif term.name not in ("any.account.outbound", "any.account.transport"):
            rest.append(term)
    for number, account in parts.items():
        host = account.get("outbound") or account.get("registrar", "")
        transport = account.get("transport", "")
        if host and ("outbound" in account or transport):
            mark = f";transport={transport}" if transport else ""
            lines.append(Line("user_outbound", f"{host}{mark}", number))
    for number, key in sorted(keys.items()):
        value = " ".join(filter(None, (key.get("type", "none"), key.get("value"))))
        lines.append(Line("fkey", value, number - 1))
    return lines, [], rest
