"""``/devices``: phones' records, one by one and many at once."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Request
from pydantic import BaseModel, Field, StrictBool, StrictInt, model_validator
from starlette.responses import Response

from linekey.catalog.models import Generation
from linekey.console.api.bodies import (
    Body,
    DeviceBody,
    DeviceChange,
    Short,
    check_all,
)
from linekey.console.api.desk import (
    AllowUnknown,
    Cursor,
    Desk,
    IfMatch,
    JsonAnswer,
    Limit,
    ListAnswer,
    Page,
    answer,
    check_match,
    check_none_match,
    etag,
    groups_of,
    mac_of,
    next_url,
)
from linekey.console.api.problems import ProblemError
from linekey.errors import InputError
from linekey.mac import Mac, parse_mac
from linekey.provisioning.device import REALM, Device, DigestCredential
from linekey.provisioning.files import phone_file, server_layer
from linekey.provisioning.format import maker_of_record, refuse_unwritten
from linekey.provisioning.other_makers import as_the_phone_reads
from linekey.provisioning.shown import device_json, merged_json
from linekey.said import say
from linekey.store.database import Database
from linekey.store.devices import Devices
from linekey.store.edit import DeviceEdit
from linekey.store.layers import Layers
from linekey.store.passwords import with_new_passwords
from linekey.store.replace import replace_phone
from linekey.store.selection import Condition, Order, Selection
from linekey.store.sightings import seen_json, sightings_of
from linekey.store.vendor_cas import VendorCas

MacPath = Annotated[
    str,
    Path(
        max_length=32,
        description="000413AABBCC, or 00:04:13:AA:BB:CC.",
        openapi_examples={"a phone": {"value": "000413AABBCC"}},
    ),
]
Pattern = Annotated[str | None, Query(description="The whole of it; * is anything.")]
IfNoneMatch = Annotated[str | None, Header(description="*: only if it is not there.")]
State = Literal["active", "revoked"]
When = Annotated[
    str | None, Query(description="A time, such as 2026-01-31; UTC unless it says so.")
]


class DevicePage(Page):
    """A part of the phones."""

    items: list[DeviceBody]


class MergedShown(BaseModel):
    """Settings, function keys and certificates, each as in a layer, with ``from``."""

    settings: list[dict[str, Any]]
    function_keys: list[dict[str, Any]]
    certificates: list[dict[str, Any]]
    unreadable: list[str]


class Reason(Body):
    """Why."""

    reason: Short = ""


_NO_REASON = Reason()
"""A default of its own kind, not null: a generated client leaves the body out then."""


class Replace(Body):
    """Which phone takes the place."""

    mac: Short
    """It must not be registered yet."""
    model: Annotated[str, Field(max_length=64)] | None = None
    """If it is another one."""


class TokenMade(BaseModel):
    """A one-time token, shown here and never again."""

    mac: str
    token: str


class Digest(Body):
    """How a phone proves itself by HTTP digest."""

    username: Annotated[str, Field(min_length=1, max_length=256)]
    password: Annotated[str, Field(min_length=1, max_length=1024)]


class Select(Body):
    """Which phones; what is absent asks for nothing, and ``*`` is anything."""

    macs: Annotated[list[Short], Field(max_length=200_000)] | None = None
    q: Short = ""
    vendor: Short | None = None
    model: Short | None = None
    label: Short | None = None
    group: Short | None = None
    state: State | None = None
    where: Annotated[tuple[Short, ...], Field(max_length=16)] = ()
    """NAME=VALUE: a column, or a setting of the phone's own."""
    all: bool = False
    """Said where every phone is meant."""

    def selection(self) -> Selection:
        """It as the store has it. Raises InputError."""
        macs = None if self.macs is None else frozenset(map(parse_mac, self.macs))
        found = Selection(
            macs=macs, vendor=self.vendor, model=self.model, label=self.label,
            group=self.group, state=self.state, search=self.q,
            where=tuple(map(Condition.parse, self.where)),
        )  # fmt: skip
        check_all(self.all, found.is_all)
        return found


class Bulk(Body):
    """One change of many phones: all of them, or none."""

    select: Select
    change: DeviceChange | None = None
    action: Literal["revoke", "restore", "rotate_passwords"] | None = None
    """Instead of a change; rotate_passwords: new random SIP passwords (user_pass) for
    all accounts that have one, which no answer shows."""
    reason: Short = ""
    """Why they are revoked."""
    expected: StrictInt | None = None
    """How many phones are meant; if it is another number, nothing is changed."""
    dry_run: StrictBool = False
    """Only say what would be changed."""

    @model_validator(mode="after")
    def _one(self) -> "Bulk":
        if (self.change is None) is (self.action is None):
            raise ValueError('give either "change" or "action"')
        return self

    def apply(self, device: Device, allow_unknown: bool) -> Device:
        """Return the changed record. Raises InputError."""
        if self.change is not None:
            return self.change.apply(device, allow_unknown)
        if self.action == "rotate_passwords":
            return with_new_passwords(device)
        return _ACTIONS[self.action or ""](self.reason).apply(device)


class Differs(BaseModel):
    """One thing before and after. A secret is "secret", and "changed"."""

    what: str
    before: Annotated[str | None, Field(alias="from")]
    after: Annotated[str | None, Field(alias="to")]


class Changed(BaseModel):
    """What changes in one phone's record."""

    mac: str
    changes: list[Differs]


class BulkDone(BaseModel):
    """What a change of many phones did, or would do."""

    matched: int
    changed: int
    dry_run: bool
    items: list[Changed]
    """Every phone whose record changes."""


_ACTIONS = {
    "revoke": lambda why: DeviceEdit(state="revoked", reason=why),
    "restore": lambda why: DeviceEdit(state="active"),
}


def device_routes(desk: Desk) -> APIRouter:
    """Return the paths."""
    router = APIRouter(tags=["devices"])

    @router.get("/devices", response_model=DevicePage)
    async def list_devices(
        request: Request,
        limit: Limit = 100,
        cursor: Cursor = None,
        q: Annotated[
            str,
            Query(
                description="In MAC, label, model, firmware; the beginning of a "
                "user_name of its own; in the address that it last came from."
            ),
        ] = "",
        sort: Annotated[str, Query(description="label, or -label.")] = "mac",
        vendor: Pattern = None,
        model: Pattern = None,
        label: Pattern = None,
        group: Pattern = None,
        state: State | None = None,
        where: Annotated[
            str | None, Query(description="NAME=VALUE, of a column or a setting.")
        ] = None,
        seen: Annotated[
            Literal["never", "ever"] | None, Query(description="Whether it ever came.")
        ] = None,
        not_seen_since: When = None,
        refused_since: When = None,
        certificate_ends_before: When = None,
        certificate_generation: Generation | None = None,
        last_reason: Annotated[
            str | None, Query(description="Why it last got its file, or did not.")
        ] = None,
        issuer: Annotated[
            str | None, Query(description="SHA-256 of its certificate's CA's key.")
        ] = None,
    ) -> Response:
        """List phones: search, filter, sort, page by page."""

        visits = {
            "seen": seen, "not_seen_since": not_seen_since,
            "refused_since": refused_since,
            "certificate_ends_before": certificate_ends_before,
            "certificate_generation": certificate_generation,
            "last_reason": last_reason, "issuer": issuer,
        }  # fmt: skip
        texts = [f"{name}={v}" for name, v in visits.items() if v is not None]
        texts += [] if where is None else [where]

        def find(database: Database) -> Response:
            wanted = Selection(
                vendor=vendor, model=model, label=label, group=group, state=state,
                search=q,
                where=tuple(map(Condition.parse, texts)),
            )  # fmt: skip
            found, after, total = Devices(database).page_and_total(
                wanted, Order.parse(sort), cursor, limit
            )
            known = sightings_of(database, [device.mac for device in found])
            return ListAnswer(
                {
                    "items": [
                        _shown(request, device) | seen_json(known.get(device.mac))
                        for device in found
                    ],
                    "total": total,
                    "next": next_url(request, after),
                }
            )

        try:
            return await desk.read(request, find)
        except InputError as error:
            raise ProblemError.of(error, "parameter") from None

    @router.post("/devices/bulk", response_model=BulkDone)
    async def change_many(
        request: Request, body: Bulk, allow_unknown: AllowUnknown = False
    ) -> Response:
        """Change all phones of a selection, or none of them."""
        wanted = body.select.selection()
        matched = 0

        def seen(count: int) -> None:
            nonlocal matched
            matched += count

        def change(database: Database) -> Response:
            done = Devices(database).change_all(
                wanted,
                lambda device: body.apply(device, allow_unknown),
                desk.clock(),
                expected=body.expected,
                dry_run=body.dry_run,
                seen=seen,
            )

            items = [
                {"mac": one.mac.digits, "changes": [d.as_json() for d in one.details]}
                for one in done
            ]
            return JsonAnswer(
                {
                    "matched": matched,
                    "changed": len(items),
                    "dry_run": body.dry_run,
                    "items": items,
                }
            )

        return await desk.change(request, change)

    @router.get("/devices/{mac}", response_model=DeviceBody)
    async def get_device(
        request: Request,
        mac: MacPath,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Get a phone's record. Secrets show as "secret": true."""
        address = mac_of(mac)

        def read(database: Database) -> tuple[dict[str, Any], dict[str, Any]]:
            device = _found(database, address)
            return _shown(request, device), _seen(database, address)

        document, seen = await desk.read(request, read)
        if if_none_match is not None and etag(document) in if_none_match:
            return Response(status_code=304, headers={"ETag": etag(document)})
        return answer(document, beside=seen)

    @router.put(
        "/devices/{mac}",
        response_model=DeviceBody,
        responses={201: {"model": DeviceBody, "description": "It was not there."}},
    )
    async def put_device(
        request: Request,
        mac: MacPath,
        body: DeviceBody,
        if_match: IfMatch = None,
        if_none_match: IfNoneMatch = None,
        allow_unknown: AllowUnknown = False,
    ) -> Response:
        """Say what a phone's whole record is; what is absent is taken away.

        A token that is limited to groups cannot register a phone: whether its MAC is
        free would tell of other groups.
        """
        address = mac_of(mac)
        if body.version is not None and groups_of(request) is not None:
            raise ProblemError(
                "body",
                say("version: it is not told to a token that is limited to groups"),
                say("leave it out, and send If-Match"),
            )  # fmt: skip

        def put(database: Database) -> tuple[Device, bool]:
            devices = Devices(database)

            def how(before: Device) -> Device:
                check_none_match(if_none_match, True)
                check_match(if_match, _shown(request, before))
                return body.device(before, allow_unknown)

            if devices.find(address) is not None:
                return devices.change(address, how, desk.clock()), False
            if groups_of(request) is not None:
                raise _missing(database, address)
            check_match(if_match, None)
            empty = Device(address, VendorCas(database).usual_vendor(), version=0)
            new = body.device(empty, allow_unknown, new=True)
            return devices.add(new, desk.clock()), True

        device, is_new = await desk.change(request, put)
        return await told(request, device, 201 if is_new else 200)

    @router.patch("/devices/{mac}", response_model=DeviceBody)
    async def patch_device(
        request: Request,
        mac: MacPath,
        body: DeviceChange,
        if_match: IfMatch = None,
        allow_unknown: AllowUnknown = False,
    ) -> Response:
        """Change a phone's record; what is absent stays as it is."""
        return await change_one(
            request, mac, if_match, lambda device: body.apply(device, allow_unknown)
        )

    @router.delete("/devices/{mac}", status_code=204, response_class=Response)
    async def delete_device(
        request: Request, mac: MacPath, if_match: IfMatch = None
    ) -> Response:
        """Delete a phone's record and settings. (To refuse the phone, revoke it.)"""
        address = mac_of(mac)

        def unless(device: Device) -> None:
            check_match(if_match, _shown(request, device))

        def remove(database: Database) -> None:
            _found(database, address)
            Devices(database).remove(address, desk.clock(), unless)

        await desk.change(request, remove)
        return Response(status_code=204)

    @router.post("/devices/{mac}/revoke", response_model=DeviceBody)
    async def revoke_device(
        request: Request,
        mac: MacPath,
        body: Reason = _NO_REASON,
        if_match: IfMatch = None,
    ) -> Response:
        """Give a phone nothing any more, from its next request on."""
        edit = _ACTIONS["revoke"](body.reason)
        return await change_one(request, mac, if_match, edit.apply)

    @router.post("/devices/{mac}/restore", response_model=DeviceBody)
    async def restore_device(
        request: Request, mac: MacPath, if_match: IfMatch = None
    ) -> Response:
        """Take a revocation back."""
        return await change_one(request, mac, if_match, _ACTIONS["restore"]("").apply)

    @router.post("/devices/{mac}/replace", status_code=201, response_model=DeviceBody)
    async def replace_device(
        request: Request, mac: MacPath, body: Replace, if_match: IfMatch = None
    ) -> Response:
        """Give a phone's record to another phone, and revoke the old one."""
        old, new = mac_of(mac), parse_mac(body.mac)

        def unless(device: Device) -> None:
            check_match(if_match, _shown(request, device))

        def change(database: Database) -> Device:
            _found(database, old)
            return replace_phone(
                Devices(database), old, new, desk.clock(), model=body.model,
                unless=unless,
            )  # fmt: skip

        return answer(_shown(request, await desk.change(request, change)), 201)

    @router.post("/devices/{mac}/token", response_model=TokenMade)
    async def make_token(request: Request, mac: MacPath) -> Response:
        """Make a one-time token for a phone that shares its certificate with others."""
        address = mac_of(mac)

        def make(database: Database) -> str:
            _found(database, address)
            return Devices(database).new_token(address, desk.clock())

        made = await desk.change(request, make)
        return JsonAnswer({"mac": address.digits, "token": made})

    @router.post("/devices/{mac}/digest", response_model=DeviceBody)
    async def set_digest(
        request: Request, mac: MacPath, body: Digest, if_match: IfMatch = None
    ) -> Response:
        """Let a phone prove itself by HTTP digest, too."""
        credential = DigestCredential.create(body.username, REALM, body.password)
        edit = DeviceEdit(digest=credential)
        return await change_one(request, mac, if_match, edit.apply)

    @router.get("/devices/{mac}/settings", response_model=MergedShown)
    async def merged_settings(request: Request, mac: MacPath) -> Response:
        """Get what the phone's file is made of, and which layer each of it is from."""

        def merged(database: Database) -> dict[str, Any]:
            device = _found(database, mac_of(mac))
            layers = as_the_phone_reads(Layers(database).of(device), device.vendor)
            maker = maker_of_record(device)
            server = ("server", server_layer(desk.anchors(), maker))
            return merged_json([server, *layers])

        return answer(await desk.read(request, merged))

    @router.get(
        "/devices/{mac}/file",
        response_class=Response,
        responses={
            200: {
                "content": {
                    kind: {"schema": {"type": "string"}}
                    for kind in ("text/xml", "text/plain")
                },
                "description": "The file. The header Linekey-Left-Out counts what "
                "could not be written into it.",
            }
        },
    )
    async def preview_file(request: Request, mac: MacPath) -> Response:
        """Get the file that the phone would get, with its secrets starred.

        In its maker's format: XML, or text for Yealink.
        """

        def render(database: Database) -> Response:
            device = _found(database, mac_of(mac))
            refuse_unwritten(device)
            shared = Layers(database).shared(device)
            file = phone_file(
                device, shared, desk.public_url, starred=True, anchors=desk.anchors()
            )
            left_out = str(len(file.skipped))
            return Response(
                file.body,
                media_type=file.content_type.partition(";")[0],
                headers={"Linekey-Left-Out": left_out},
            )

        return await desk.read(request, render)

    async def change_one(
        request: Request, mac: str, if_match: str | None, how: Any
    ) -> Response:
        address = mac_of(mac)

        def checked(device: Device) -> Device:
            check_match(if_match, _shown(request, device))
            changed: Device = how(device)
            return changed

        def change(database: Database) -> Device:
            _found(database, address)
            return Devices(database).change(address, checked, desk.clock())

        return await told(request, await desk.change(request, change))

    async def told(request: Request, device: Device, status: int = 200) -> Response:
        seen = await desk.read(request, lambda database: _seen(database, device.mac))
        return answer(_shown(request, device), status, beside=seen)

    return router


def _found(database: Database, mac: Mac) -> Device:
    device = Devices(database).find(mac)
    if device is None:
        raise _missing(database, mac)
    return device


def _missing(database: Database, mac: Mac) -> ProblemError:
    if database.within is None:
        return ProblemError(
            "not_found",
            say("no device %(mac)s is registered", mac=mac),
            say("PUT /devices/%(mac)s adds it", mac=mac),
        )
    return ProblemError(
        "not_found",
        say(
            "no device %(mac)s is registered in %(names)s",
            mac=mac,
            names=", ".join(sorted(database.within)),
        ),
        say("who may see all phones registers it, in one of these groups"),
    )


def _shown(request: Request, device: Device) -> dict[str, Any]:
    document = device_json(device)
    if groups_of(request) is not None:
        document["version"] = None  # it counts the changes of all phones
    return document


def _seen(database: Database, mac: Mac) -> dict[str, Any]:
    return seen_json(sightings_of(database, [mac]).get(mac))
