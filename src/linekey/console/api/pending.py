"""``/pending`` and ``/adoption-rules``: phones that nobody has registered yet."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field, StrictBool, StrictInt, model_validator
from starlette.responses import Response

from linekey.catalog.models import Generation
from linekey.console.api.bodies import (
    Body,
    DeviceBody,
    Name,
    Short,
    Time,
    check_all,
)
from linekey.console.api.desk import (
    Cursor,
    Desk,
    IfMatch,
    JsonAnswer,
    Limit,
    Page,
    answer,
    check_match,
    groups_of,
    mac_of,
    next_url,
)
from linekey.console.api.problems import ProblemError
from linekey.errors import InputError
from linekey.mac import Mac, parse_mac
from linekey.provisioning.device import Device
from linekey.provisioning.group import parse_group
from linekey.provisioning.pending import (
    MAX_RANGES,
    AdoptionRule,
    joined,
    parse_range,
    parse_rule_name,
)
from linekey.provisioning.shown import device_json, rule_json
from linekey.store.adoption import AdoptionRules
from linekey.store.database import Database
from linekey.store.device_rows import parse_model, parse_vendor, vendor_of_model
from linekey.store.pending import (
    Approval,
    Pending,
    PendingPhone,
    PendingSearch,
    Told,
)
from linekey.store.vendor_cas import VendorCas

MacPath = Annotated[
    str, Path(max_length=32, description="000413AABBCC, or 00:04:13:AA:BB:CC.")
]
RulePath = Annotated[str, Path(max_length=64, description="Such as van-1.")]
Pattern = Annotated[str | None, Query(description="The whole of it; * is anything.")]
Model = Annotated[str, Field(max_length=64)]


class PendingShown(BaseModel):
    """A phone that proved which one it is, and that nobody has registered."""

    mac: str
    state: Literal["open", "refused"]
    refused_reason: str
    code: str
    """What its display shows where it has a waiting file. Two phones may have the same:
    it finds a phone, and approves none."""
    vendor: str
    """By its certificate."""
    model: str | None
    model_by: Literal["certificate", "user_agent", "file"] | None
    """On whose word; a certificate proves it."""
    generation: str | None
    """Of its certificate: sha1 or sha256."""
    issuer: str
    issuer_key_sha256: str | None
    certificate_sha256: str | None
    certificate_ends_at: Time | None
    user_agent: str | None
    peer: str
    """The address that it last came from."""
    first_at: Time
    last_at: Time
    count: int
    """Of its requests."""
    waited: bool
    """Whether it ever got a waiting file."""
    group: str | None
    """That a rule means it for."""


class PendingPage(Page):
    """A part of the pending phones, those first that came last for the first time."""

    items: list[PendingShown]


class ApprovalBody(Body):
    """What the record is to say; what is absent is the rule's word that the phone fits,
    then what is known of the phone."""

    label: Short | None = None
    group: Name | None = None
    """Empty: in none. A token that is limited to groups leaves it out."""
    model: Model | None = None

    def approval(self) -> Approval:
        """It as the store has it."""
        return Approval(label=self.label, group=self.group, model=self.model)


class Refusal(Body):
    """Why."""

    reason: Short = ""


class PendingSelect(Body):
    """Which pending phones; what is absent asks for nothing, and ``*`` is anything."""

    macs: Annotated[list[Short], Field(max_length=200_000)] | None = None
    q: Short = ""
    vendor: Short | None = None
    model: Short | None = None
    generation: Generation | None = None
    peer: Short | None = None
    group: Short | None = None
    """That a rule means them for."""
    all: bool = False
    """Said where every phone that is not refused is meant."""

    def search(self) -> PendingSearch:
        """It as the store has it: those that are not refused, but for those that are
        named. Raises InputError."""
        macs = None if self.macs is None else frozenset(map(parse_mac, self.macs))
        found = PendingSearch(
            macs=macs, search=self.q, vendor=self.vendor, model=self.model,
            generation=self.generation, peer=self.peer, group=self.group,
            state="open" if macs is None else None,
        )  # fmt: skip
        check_all(self.all, found.is_all)
        return found


class PendingBulk(ApprovalBody):
    """One decision on many pending phones: on all of them, or on none."""

    select: PendingSelect
    action: Literal["approve", "refuse", "forget"]
    reason: Short = ""
    """Why they are refused."""
    expected: StrictInt | None = None
    """How many phones are meant; if it is another number, nothing is done."""
    dry_run: StrictBool = False
    """Only say what would be done."""

    @model_validator(mode="after")
    def _fits(self) -> "PendingBulk":
        said = (self.label, self.group, self.model)
        if self.action != "approve" and any(each is not None for each in said):
            raise ValueError("label, group and model are for approve")
        if self.action != "refuse" and self.reason:
            raise ValueError("a reason is for refuse")
        return self


class PendingTold(BaseModel):
    """What was done with one phone, or would be."""

    mac: str
    code: str
    device: DeviceBody | None
    """The record that it has now, if it was approved."""


class PendingDone(BaseModel):
    """What was done with many."""

    matched: int
    dry_run: bool
    items: list[PendingTold]


class RuleBody(Body):
    """Which phones are expected, and what their records are to say."""

    name: Short | None = None
    """Read only: it is in the path."""
    macs: Annotated[list[Short], Field(min_length=1, max_length=MAX_RANGES)]
    """MACs, and ranges such as 000413AA0000-000413AAFFFF."""
    label: Short = ""
    group: Name | None = None
    model: Model | None = None
    """null: what the certificate says, and few makers' say it."""
    vendor: Short = ""
    """Only phones whose certificate is this maker's. Empty with a model: the usual
    one's; else any trusted one's."""
    ask: StrictBool = False
    """Whether somebody has to approve each; else they are registered at once, where the
    policy is adopt."""
    count: StrictInt | None = None
    """Read only: how many MACs that is."""

    def rule(self, name: str, database: Database) -> AdoptionRule:
        """Make it the rule of this name. Raises InputError."""
        vendor = parse_vendor(self.vendor) if self.vendor else ""
        if self.model and not vendor:
            vendor = vendor_of_model(self.model, VendorCas(database).usual_vendor())
        return AdoptionRule(
            name,
            joined(map(parse_range, self.macs)),
            self.label,
            parse_group(self.group) if self.group else None,
            parse_model(self.model, vendor) if self.model else None,
            vendor,
            not self.ask,
        )


class RulePage(Page):
    """All rules."""

    items: list[RuleBody]


def pending_routes(desk: Desk) -> APIRouter:
    """Return the paths."""
    router = APIRouter(tags=["pending"])

    @router.get("/pending", response_model=PendingPage)
    async def list_pending(
        request: Request,
        limit: Limit = 100,
        cursor: Cursor = None,
        q: Annotated[
            str, Query(description="In MAC, model, User-Agent, address, issuer, code.")
        ] = "",
        vendor: Pattern = None,
        model: Pattern = None,
        generation: Generation | None = None,
        peer: Pattern = None,
        group: Annotated[
            str | None, Query(description="That a rule means them for; empty: none.")
        ] = None,
        code: Annotated[str | None, Query(description="As a display shows it.")] = None,
        state: Literal["open", "refused"] | None = None,
    ) -> Response:
        """List phones that proved which they are and that nobody has registered.

        A token that is limited to groups sees those that a rule means for one of them.
        """
        wanted = PendingSearch(
            search=q, vendor=vendor, model=model, generation=generation, peer=peer,
            group=group, code=code, state=state,
        )  # fmt: skip

        def find(database: Database) -> dict[str, Any]:
            pending = Pending(database)
            found, after = pending.page(wanted, cursor, limit)
            is_whole = cursor is None and after is None
            return {
                "items": [phone.as_json() for phone in found],
                "total": len(found) if is_whole else pending.count(wanted),
                "next": next_url(request, after),
            }

        try:
            return JsonAnswer(await desk.read(request, find))
        except InputError as error:
            raise ProblemError.of(error, "parameter") from None

    @router.post("/pending/bulk", response_model=PendingDone)
    async def decide_pending(request: Request, body: PendingBulk) -> Response:
        """Approve, refuse or forget all phones of a selection, or none of them."""
        wanted, now = body.select.search(), desk.clock()
        expected, dry_run = body.expected, body.dry_run

        def decide(database: Database) -> list[Told]:
            pending = Pending(database)
            if body.action == "approve":
                return pending.approve(
                    wanted, body.approval(), now, expected=expected, dry_run=dry_run
                )
            if body.action == "refuse":
                return pending.refuse(
                    wanted, body.reason, now, expected=expected, dry_run=dry_run
                )
            return pending.forget(wanted, now, expected=expected, dry_run=dry_run)

        told = await desk.change(request, decide)
        items = [
            {
                "mac": one.mac.digits,
                "code": one.code,
                "device": one.device and _record(request, one.device),
            }
            for one in told
        ]
        return JsonAnswer({"matched": len(told), "dry_run": dry_run, "items": items})

    @router.get("/pending/{mac}", response_model=PendingShown)
    async def get_pending(request: Request, mac: MacPath) -> Response:
        """Get a pending phone."""
        address = mac_of(mac)
        phone = await desk.read(request, lambda database: _found(database, address))
        return answer(phone.as_json())

    @router.post("/pending/{mac}/approve", status_code=201, response_model=DeviceBody)
    async def approve_pending(
        request: Request,
        mac: MacPath,
        body: ApprovalBody | None = None,
        if_match: IfMatch = None,
    ) -> Response:
        """Register a pending phone; it has its file at its next request."""
        address = mac_of(mac)
        approval = (body or ApprovalBody()).approval()

        def approve(database: Database) -> Device:
            _found(database, address)
            (told,) = Pending(database).approve(
                _only(address), approval, desk.clock(), unless=_unless_stale(if_match)
            )
            assert told.device is not None
            return told.device

        return JsonAnswer(
            _record(request, await desk.change(request, approve)), status_code=201
        )

    @router.post("/pending/{mac}/refuse", response_model=PendingShown)
    async def refuse_pending(
        request: Request,
        mac: MacPath,
        body: Refusal | None = None,
        if_match: IfMatch = None,
    ) -> Response:
        """Refuse a pending phone: whatever the policy, it gets nothing."""
        address, reason = mac_of(mac), body.reason if body else ""

        def refuse(database: Database) -> PendingPhone:
            _found(database, address)
            pending = Pending(database)
            pending.refuse(
                _only(address), reason, desk.clock(), unless=_unless_stale(if_match)
            )
            return pending.get(address)

        return answer((await desk.change(request, refuse)).as_json())

    @router.delete("/pending/{mac}", status_code=204, response_class=Response)
    async def forget_pending(
        request: Request, mac: MacPath, if_match: IfMatch = None
    ) -> Response:
        """Take a phone off the list; if it comes again, it is listed again."""
        address = mac_of(mac)

        def forget(database: Database) -> None:
            _found(database, address)
            Pending(database).forget(
                _only(address), desk.clock(), unless=_unless_stale(if_match)
            )

        await desk.change(request, forget)
        return Response(status_code=204)

    return router


def rule_routes(desk: Desk) -> APIRouter:
    """Return the paths of rules."""
    router = APIRouter(tags=["pending"])

    @router.get("/adoption-rules", response_model=RulePage)
    async def list_rules(request: Request) -> Response:
        """List the rules for phones that are expected."""

        def read(database: Database) -> list[dict[str, Any]]:
            return [rule_json(rule) for rule in AdoptionRules(database).all()]

        items = await desk.read(request, read)
        return JsonAnswer({"items": items, "total": len(items), "next": None})

    @router.get("/adoption-rules/{name}", response_model=RuleBody)
    async def get_rule(request: Request, name: RulePath) -> Response:
        """Get a rule."""
        wanted = _rule_name(name)
        rule = await desk.read(request, lambda database: _rule(database, wanted))
        return answer(rule_json(rule))

    @router.put(
        "/adoption-rules/{name}",
        response_model=RuleBody,
        responses={201: {"model": RuleBody, "description": "It was not there."}},
    )
    async def put_rule(
        request: Request, name: RulePath, body: RuleBody, if_match: IfMatch = None
    ) -> Response:
        """Say which phones a rule speaks of. No two rules may speak of one MAC."""
        wanted = _rule_name(name)

        def put(database: Database) -> tuple[AdoptionRule, bool]:
            made, new = body.rule(wanted, database), False

            def how(before: AdoptionRule | None) -> AdoptionRule:
                nonlocal new
                new = before is None
                check_match(if_match, None if before is None else rule_json(before))
                return made

            return AdoptionRules(database).put(wanted, how, desk.clock()), new

        rule, is_new = await desk.change(request, put)
        return answer(rule_json(rule), 201 if is_new else 200)

    @router.delete("/adoption-rules/{name}", status_code=204, response_class=Response)
    async def remove_rule(
        request: Request, name: RulePath, if_match: IfMatch = None
    ) -> Response:
        """Remove a rule; phones that it registered stay registered."""
        wanted = _rule_name(name)

        def remove(database: Database) -> None:
            check_match(if_match, rule_json(_rule(database, wanted)))
            AdoptionRules(database).remove(wanted, desk.clock())

        await desk.change(request, remove)
        return Response(status_code=204)

    return router


def _only(mac: Mac) -> PendingSearch:
    return PendingSearch(macs=frozenset({mac}))


def _found(database: Database, mac: Mac) -> PendingPhone:
    try:
        return Pending(database).get(mac)
    except InputError as error:
        raise ProblemError.of(error, "not_found") from None


def _unless_stale(if_match: str | None) -> Any:
    def check(phone: PendingPhone) -> None:
        check_match(if_match, phone.as_json())

    return check


def _record(request: Request, device: Device) -> dict[str, Any]:
    document = device_json(device)
    if groups_of(request) is not None:
        document["version"] = None  # it counts the changes of all phones
    return document


def _rule_name(text: str) -> str:
    try:
        return parse_rule_name(text)
    except InputError as error:
        raise ProblemError.of(error, "not_found") from None


def _rule(database: Database, name: str) -> AdoptionRule:
    try:
        return AdoptionRules(database).get(name)
    except InputError as error:
        raise ProblemError.of(error, "not_found") from None
