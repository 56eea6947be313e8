"""Tables of phones as other systems export them: which of their columns mean what.

FusionPBX, wazo and FreePBX give their columns names of their own. A table is one of
theirs if it has a column that only they have; then their columns are read as ours, and
those that mean nothing here are left out. Both are told to whoever imports it.

Sources: FusionPBX ``app/devices/device_download.php`` and ``device_imports.php``; wazo
confd's ``DeviceSchema``; FreePBX's Bulk Handler and the Endpoint Manager's table of
phones, as read in November 2026 (M: releases add columns).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

LINE_SETTINGS: Final = frozenset(
    {"user_name", "user_pname", "user_pass", "user_host", "user_realname"}
    | {"user_expiry"}
)
"""Settings of the line that the row's column ``line`` names, else of line 1."""


@dataclass(frozen=True, slots=True)
class ForeignTable:
    """One system's columns.

    ``columns`` maps a title in lower case to a column of the record, to one of
    LINE_SETTINGS, or to ``line``, ``enabled``, ``template``, ``server``, ``proxy``,
    ``port`` or ``transport``. ``left_out`` fits titles that mean nothing here.
    """

    system: str
    marks: re.Pattern[str]
    """Fits a title that only this system has."""
    columns: Mapping[str, str]
    left_out: re.Pattern[str]


_FUSIONPBX = ForeignTable(
    "FusionPBX",
    re.compile(
        r"device_(?:uuid|mac_address|address|label|vendor|model|template|enabled"
        r"|enabled_date|description|profile_uuid|firmware_version|username|password"
        r"|provisioned_\w+|uuid_alternate|location|serial_number)"
    ),
    MappingProxyType(
        {
            "device_mac_address": "mac",
            "device_address": "mac",
            "device_vendor": "vendor",
            "device_model": "model",
            "device_firmware_version": "firmware",
            "device_label": "label",
            "device_description": "label",
            "device_location": "label",
            "device_enabled": "enabled",
            "device_template": "template",
            "line_number": "line",
            "user_id": "user_name",
            "auth_id": "user_pname",
            "password": "user_pass",
            "server_address": "server",
            "display_name": "user_realname",
            "register_expires": "user_expiry",
            "outbound_proxy_primary": "proxy",
            "sip_port": "port",
            "sip_transport": "transport",
        }
    ),
    re.compile(
        r"(?:domain|device|device_profile|device_line|device_user)_uuid"
        r"|device_(?:uuid_alternate|enabled_date|serial_number|username|password"
        r"|provisioned_\w+)|server_address_(?:primary|secondary)"
        r"|outbound_proxy_secondary|shared_line|enabled|insert_\w+|update_\w+"
    ),
)
_WAZO = ForeignTable(
    "wazo",
    re.compile(r"plugin|template_id|tenant_uuid|is_new"),
    MappingProxyType({"version": "firmware", "description": "label"}),
    re.compile(r"id|ip|sn|plugin|template_id|tenant_uuid|is_new|status|options|links"),
)
_FREEPBX = ForeignTable(
    "FreePBX",
    re.compile(r"devinfo_\w+|devicetype|ringtimer|brand|cid_masquerade"),
    MappingProxyType(
        {
            "brand": "vendor",
            "extension": "user_name",
            "ext": "user_name",
            "name": "user_realname",
            "secret": "user_pass",
            "devinfo_secret": "user_pass",
            "description": "label",
            "line": "line",
            "template": "template",
        }
    ),
    re.compile(
        r"action|password|voicemail\w*|ringtimer|noanswer\w*|busy_\w+|chanunavail_\w+"
        r"|recording\w*|outboundcid|sipname|mohclass|id|tech|dial|devicetype|user"
        r"|emergency_cid|hint_override|cwtone|accountcode|allow|disallow|callerid"
        r"|context|cid_masquerade|concurrency_limit|account|hardware|callwaiting\w*"
        r"|call_screen|pinless|answermode|intercom|vm\w*|email|pager|attach\w*|options"
        r"|devinfo_\w+|findmefollow_\w+|parkpro_\w+|langs?_\w+|langcode|fax\w*"
        r"|newdid\w*|did\w*|dictenabled|dictformat|dictemail|ddial|changecdriver"
        r"|template_id|template_id2|global_\w+|specific_settings"
    ),
)
FOREIGN_TABLES: Final = (_FUSIONPBX, _WAZO, _FREEPBX)


def recognise_table(titles: Iterable[str]) -> ForeignTable | None:
    """Whose table this is by its column titles; None: nobody's that is known."""
    lower = [title.strip().lower() for title in titles]
    if {"extension", "secret"} <= {*lower} or {"ext", "secret"} <= {*lower}:
        return _FREEPBX  # as its users keep extensions beside MACs
    for table in FOREIGN_TABLES:
        if any(table.marks.fullmatch(title) for title in lower):
            return table
    return None
