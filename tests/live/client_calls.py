"""Calls of a running API by a generated client: a program of its own.

``test_api_client.py`` runs it in the generator's environment, where linekey is not. Its
arguments are the API's URL and three tokens: an administrator's, one of a group, one that
may only read. It ends with 0 if every answer was what the OpenAPI document says.
"""

# ruff: noqa: I001 - the client is generated where this runs
import sys
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from linekey_client import AuthenticatedClient, Client
from linekey_client.api.devices import (
    change_many, delete_device, get_device, list_devices, patch_device, preview_file,
    put_device, revoke_device,
)  # fmt: skip
from linekey_client.api.groups import get_group, patch_group, put_group
from linekey_client.api.layers import get_layer, patch_layer
from linekey_client.api.records import health, list_changes, list_decisions
from linekey_client.models import (
    Bulk, BulkDone, ChangePage, DecisionPage, DeviceBody, DeviceBodyStateType0,
    DeviceChange, DevicePage, GroupBody, GroupChange, Health, HealthStatus, LayerBody,
    LayerChange, LayerShown, Problem, Select, SettingBody,
)  # fmt: skip
from linekey_client.types import UNSET

url, admin_token, group_token, read_token = sys.argv[1:]
admin = AuthenticatedClient(base_url=url, token=admin_token)
of_acme = AuthenticatedClient(base_url=url, token=group_token)
reader = AuthenticatedClient(base_url=url, token=read_token)
NEW = "000413D00001"


def refused(answer: object, status: int, code: str) -> Problem:
    """What a refusal says; each is a Problem, and not merely some JSON."""
    assert isinstance(answer.parsed, Problem), answer
    assert answer.status_code == answer.parsed.status == status, answer.parsed
    assert answer.parsed.code == code, answer.parsed
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.parsed.detail, answer.parsed
    assert answer.parsed.cure, answer.parsed
    return answer.parsed


def pages() -> None:
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = list_devices.sync(client=reader, limit=1, cursor=cursor or UNSET)
        assert isinstance(page, DevicePage)
        assert page.total == 2
        seen += [str(item.mac) for item in page.items]
        if page.next_ is None:
            break
        cursor = parse_qs(urlsplit(page.next_).query)["cursor"][0]
    assert seen == ["000413AABBCC", "000413AABBCD"], seen


def one_phone() -> None:
    secret = SettingBody(name="user_pass", idx=1, value="geheim-0815")
    name = SettingBody(name="user_name", idx=1, value="4711")
    body = DeviceBody(
        model="D785", label="Hall <1>", layer=LayerBody(settings=[name, secret])
    )
    made = put_device.sync_detailed(NEW, client=admin, body=body)
    assert made.status_code == 201
    assert isinstance(made.parsed, DeviceBody)
    again = put_device.sync_detailed(NEW, client=admin, body=body)
    assert again.status_code == 200
    assert "geheim" not in str(again.parsed)
    # What was read is sent back, and changes nothing: the secret stays where it is.
    read = get_device.sync_detailed(NEW, client=admin)
    assert isinstance(read.parsed, DeviceBody)
    back = put_device.sync_detailed(
        NEW, client=admin, body=read.parsed, if_match=read.headers["etag"]
    )
    assert back.headers["etag"] == read.headers["etag"], back
    change = DeviceChange(
        layer=LayerChange(set_=[SettingBody(name="language", value="Deutsch")])
    )
    first = patch_device.sync_detailed(
        NEW, client=admin, body=change, if_match=read.headers["etag"]
    )
    assert isinstance(first.parsed, DeviceBody)
    assert first.parsed.label == "Hall <1>", "what is not named stays"
    late = patch_device.sync_detailed(
        NEW, client=admin, body=DeviceChange(label="late"),
        if_match=read.headers["etag"],
    )  # fmt: skip
    refused(late, 412, "stale")
    shown = preview_file.sync_detailed(NEW, client=admin)
    assert shown.status_code == 200
    assert b"4711" in shown.content
    assert b"geheim" not in shown.content
    gone = revoke_device.sync(NEW, client=admin)
    assert isinstance(gone, DeviceBody)
    assert gone.state is DeviceBodyStateType0.REVOKED


def many() -> None:
    wanted = Bulk(
        select=Select(model="D7*"), change=DeviceChange(label="by hand"), dry_run=True
    )
    dry = change_many.sync(client=admin, body=wanted)
    assert isinstance(dry, BulkDone)
    assert (dry.matched, dry.changed, dry.dry_run) == (2, 2, True)
    assert [d.to for d in dry.items[0].changes] == ["by hand"]
    assert get_device.sync(NEW, client=admin).label == "Hall <1>"
    wanted.dry_run, wanted.expected = False, 3
    refused(change_many.sync_detailed(client=admin, body=wanted), 422, "input")
    wanted.expected = 2
    done = change_many.sync(client=admin, body=wanted)
    assert isinstance(done, BulkDone)
    assert done.changed == 2
    assert get_device.sync(NEW, client=admin).label == "by hand"


def groups() -> None:
    made = put_group.sync_detailed(
        "acme", client=admin, body=GroupBody(note="ACME Ltd.")
    )
    assert made.status_code == 200, "the test made it, and so its token"
    changed = patch_group.sync("acme", client=admin, body=GroupChange(vendor_cas=[]))
    assert isinstance(changed, GroupBody)
    assert (changed.note, changed.vendor_cas) == ("ACME Ltd.", [])
    patch_group.sync("acme", client=admin, body=GroupChange(vendor_cas=None))
    none = list_devices.sync(client=of_acme)
    assert isinstance(none, DevicePage)
    assert none.total == 0
    refused(get_device.sync_detailed(NEW, client=of_acme), 404, "not_found")
    patch_device.sync(NEW, client=admin, body=DeviceChange(group="acme"))
    mine = list_devices.sync(client=of_acme)
    assert [item.mac for item in mine.items] == [NEW]
    assert mine.items[0].version is None
    assert get_group.sync("acme", client=of_acme).phones == 1
    layer = patch_layer.sync(
        "group:acme", client=of_acme,
        body=LayerChange(set_=[SettingBody(name="language", value="English")]),
    )  # fmt: skip
    assert isinstance(layer, LayerShown)
    refused(get_layer.sync_detailed("fleet", client=of_acme), 404, "not_found")
    refused(
        put_group.sync_detailed("acme", client=of_acme, body=GroupBody()),
        403, "token.groups",
    )  # fmt: skip


def records() -> None:
    state = health.sync(client=reader)
    assert isinstance(state, Health)
    assert state.status is HealthStatus.READY
    decisions = list_decisions.sync(client=reader, mac="000413AABBCC")
    assert isinstance(decisions, DecisionPage)
    assert [one.reason for one in decisions.items] == ["own_file"]
    assert isinstance(decisions.items[0].at, datetime)
    phone = get_device.sync("000413AABBCC", client=reader)
    assert phone.seen.last_at == decisions.items[0].at
    changes = list_changes.sync(client=reader, who="pbx", mac=NEW, limit=1)
    assert isinstance(changes, ChangePage)
    assert changes.items[0].subject == f"device {NEW}"
    assert changes.next_ is not None


def refusals() -> None:
    refused(
        list_devices.sync_detailed(client=Client(base_url=url)), 401, "token.missing"
    )
    wrong = AuthenticatedClient(base_url=url, token="nobodys")
    refused(list_devices.sync_detailed(client=wrong), 401, "token.wrong")
    refused(
        put_device.sync_detailed(NEW, client=reader, body=DeviceBody()),
        403, "token.scope",
    )  # fmt: skip
    refused(get_device.sync_detailed("000413FFFFFF", client=admin), 404, "not_found")
    refused(get_device.sync_detailed("1234", client=admin), 400, "parameter")
    told = refused(
        put_device.sync_detailed(
            NEW, client=admin,
            body=DeviceBody(layer=LayerBody(settings=[SettingBody(name="langage", value="x")])),
        ),
        422, "input",
    )  # fmt: skip
    assert "did you mean language" in told.detail, told
    assert delete_device.sync_detailed(NEW, client=admin).status_code == 204
    refused(delete_device.sync_detailed(NEW, client=admin), 404, "not_found")


pages()
one_phone()
many()
groups()
records()
refusals()
