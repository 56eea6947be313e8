"""``/layers``: what all phones, a group's or a model's have; ``/vendor-cas``."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field, StrictInt
from starlette.responses import Response

from linekey.catalog.vendors import OperatorRule
from linekey.certs.pem import parse_certificates
from linekey.console.api.bodies import Body, LayerBody, LayerChange, Short, Text
from linekey.console.api.desk import (
    AllowUnknown,
    Desk,
    IfMatch,
    JsonAnswer,
    Page,
    WordsShown,
    answer,
    check_match,
)
from linekey.console.api.problems import ProblemError
from linekey.errors import InputError
from linekey.provisioning.document import Layer
from linekey.provisioning.expired import Expired
from linekey.provisioning.pending import Policy
from linekey.provisioning.shown import layer_json
from linekey.said import say
from linekey.store.database import Database
from linekey.store.groups import Groups
from linekey.store.layers import Layers, Scope
from linekey.store.trust_list import Listed, ca_json, operator_rule
from linekey.store.vendor_cas import VendorCa, VendorCas, describe_ca

ScopePath = Annotated[
    str,
    Path(
        max_length=80,
        description="fleet, group:NAME, or model:D785.",
        openapi_examples={"a layer": {"value": "fleet"}},
    ),
]
Fingerprint = Annotated[
    str, Path(max_length=100, description="SHA-256 or SHA-1, or eight digits of it.")
]


class LayerShown(LayerBody):
    """A layer with its name."""

    scope: str
    version: int
    """Rises with every change; 0: never set."""


class LayerPut(LayerBody):
    """A whole layer."""

    scope: Short | None = None
    """Read only."""
    version: StrictInt | None = None
    """Read only."""


class LayerPage(Page):
    """All layers that were ever set."""

    items: list[LayerShown]


class CaShown(BaseModel):
    """A CA whose device certificates are believed."""

    subject: str
    issuer: str
    role: Literal["root", "intermediate"]
    vendor: str | None
    rule: str | None
    rule_by: str | None
    phones: str
    words: dict[str, WordsShown]
    """What the sentence ``phones`` was made of, and those within it, by sentence."""
    pending: Literal["refuse", "waiting", "adopt"] | None
    """What its phones get that nobody registered; null: as pending.policy says."""
    expired: Literal["refuse", "named", "registered", "accept"] | None
    """What its phones' certificates are worth after their end; null: as
    rules.expired_certificates says."""
    generation: str | None
    known: bool
    known_as: str | None
    sha256: str
    sha1: str
    not_before: str
    not_after: str
    key: str
    signature_algorithm: str
    signature_hash: str | None
    added_at: str


class CaPage(Page):
    """All CAs."""

    items: list[CaShown]


class CaSaid(Body):
    """What the operator says of the phones of a CA."""

    vendor: Short | None = None
    rule: Literal["cn-mac", "st-mac", "shared"] | None = None
    pending: Literal["refuse", "waiting", "adopt"] | None = None
    """What its phones get that nobody registered; null: as pending.policy says. Absent:
    it stays, and so does the rule if this alone is given."""
    expired: Literal["refuse", "named", "registered", "accept"] | None = None
    """What its phones' certificates are worth after their end; null: as
    rules.expired_certificates says. Absent: as for pending."""

    def said(self) -> OperatorRule | None:
        """It as the store has it. Raises InputError."""
        return operator_rule(self.vendor, self.rule)

    def tell(
        self, cas: VendorCas, sha256: str, unless: Any = lambda there: None
    ) -> None:
        """Say what is given of a CA's new phones, and of ended certificates."""
        if "pending" in self.model_fields_set:
            policy = None if self.pending is None else Policy(self.pending)
            cas.say_of_pending(sha256, policy, unless)
            unless = lambda there: None  # noqa: E731 - it was held against once
        if "expired" in self.model_fields_set:
            ended = None if self.expired is None else Expired(self.expired)
            cas.say_of_expired(sha256, ended, unless)


class CaAdded(CaSaid):
    """CAs to believe."""

    pem: Annotated[Text, Field(min_length=1)]


def layer_routes(desk: Desk) -> APIRouter:
    """Return the paths of layers."""
    router = APIRouter(tags=["layers"])

    @router.get("/layers", response_model=LayerPage)
    async def list_layers(request: Request) -> Response:
        """List the layers that were ever set: the fleet's, groups', and models'."""

        def read(database: Database) -> list[dict[str, Any]]:
            layers = Layers(database)
            return [_json(layers, Scope.parse(scope)) for scope in layers.scopes()]

        items = await desk.read(request, read)
        return JsonAnswer({"items": items, "total": len(items), "next": None})

    @router.get("/layers/{scope}", response_model=LayerShown)
    async def get_layer(request: Request, scope: ScopePath) -> Response:
        """Get a layer; an empty one where nothing was ever set."""
        wanted = _scope(scope)
        return answer(
            await desk.read(request, lambda d: _json(_reached(d, wanted), wanted))
        )

    @router.put("/layers/{scope}", response_model=LayerShown)
    async def put_layer(
        request: Request,
        scope: ScopePath,
        body: LayerPut,
        if_match: IfMatch = None,
        allow_unknown: AllowUnknown = False,
    ) -> Response:
        """Say what a whole layer is; what is absent is taken away."""

        def put(before: Layer) -> Layer:
            return body.layer(before, allow_unknown, _scope(scope).maker)

        return await change(request, scope, if_match, put)

    @router.patch("/layers/{scope}", response_model=LayerShown)
    async def patch_layer(
        request: Request,
        scope: ScopePath,
        body: LayerChange,
        if_match: IfMatch = None,
        allow_unknown: AllowUnknown = False,
    ) -> Response:
        """Change a layer; what is absent stays as it is."""

        def patch(before: Layer) -> Layer:
            return body.apply(before, scope, allow_unknown, _scope(scope).maker)

        return await change(request, scope, if_match, patch)

    async def change(
        request: Request, scope: str, if_match: str | None, how: Any
    ) -> Response:
        wanted = _scope(scope)

        def do(database: Database) -> dict[str, Any]:
            layers = _reached(database, wanted)
            version = 0

            def version_is(there: int) -> None:
                nonlocal version
                version = there

            def checked(before: Layer) -> Layer:
                document = _document(wanted, before, version)
                check_match(if_match, document)
                changed: Layer = how(before)
                return changed

            layers.change(wanted, checked, desk.clock(), version_is)
            return _json(layers, wanted)

        return answer(await desk.change(request, do))

    return router


def _scope(text: str) -> Scope:
    try:
        scope = Scope.parse(text)
    except InputError as error:
        raise ProblemError.of(error, "not_found") from None
    if scope.mac is not None:
        raise ProblemError(
            "not_found",
            say("a phone's own layer is part of its record"),
            say("see /devices/%(mac)s", mac=scope.mac),
        )
    return scope


def _reached(database: Database, scope: Scope) -> Layers:
    """The layers, if this one is there for the caller. Raises ProblemError."""
    layers = Layers(database)
    try:
        layers.get_with_version(scope)
    except InputError as error:
        raise ProblemError.of(error, "not_found") from None
    return layers


def _json(layers: Layers, scope: Scope) -> dict[str, Any]:
    return _document(scope, *layers.get_with_version(scope))


def _document(scope: Scope, layer: Layer, version: int) -> dict[str, Any]:
    return {"scope": scope.text, "version": version} | layer_json(layer)


def ca_routes(desk: Desk) -> APIRouter:
    """Return the paths of vendor CAs."""
    router = APIRouter(tags=["vendor CAs"])

    @router.get("/vendor-cas", response_model=CaPage)
    async def list_cas(request: Request) -> Response:
        """List the CAs whose device certificates are believed, roots first.

        A token that is limited to groups sees those that its groups name.
        """
        items = await desk.read(request, _cas)
        return JsonAnswer({"items": items, "total": len(items), "next": None})

    @router.post("/vendor-cas", status_code=201, response_model=CaPage)
    async def add_cas(request: Request, body: CaAdded) -> Response:
        """Believe the CAs of a PEM text; all of them, or none."""
        said, at = body.said(), desk.clock()
        certificates = parse_certificates(body.pem.encode())
        cas = [describe_ca(certificate, at, said) for certificate in certificates]
        named = {ca.certificate.sha256 for ca in cas}

        def add(database: Database) -> list[dict[str, Any]]:
            VendorCas(database).add(cas)
            for sha256 in named:
                body.tell(VendorCas(database), sha256)
            return [ca for ca in _cas(database) if ca["sha256"] in named]

        items = await desk.change(request, add)
        document = {"items": items, "total": len(items), "next": None}
        return JsonAnswer(document, status_code=201)

    @router.get("/vendor-cas/{fingerprint}", response_model=CaShown)
    async def get_ca(request: Request, fingerprint: Fingerprint) -> Response:
        """Get a CA."""
        return answer(
            await desk.read(request, lambda database: one(database, fingerprint))
        )

    @router.patch("/vendor-cas/{fingerprint}", response_model=CaShown)
    async def say_of_ca(
        request: Request,
        fingerprint: Fingerprint,
        body: CaSaid,
        if_match: IfMatch = None,
    ) -> Response:
        """Say which rule the phones of a CA follow; nothing: linekey's catalogue's."""
        said = body.said()

        def say(database: Database) -> dict[str, Any]:
            sha256 = _find(database, fingerprint)
            cas, unless = VendorCas(database), unless_stale(sha256, if_match)
            given = body.model_fields_set
            if not given or given - {"pending", "expired"}:
                cas.say(sha256, said, unless)
                unless = unless_stale(sha256, None)
            body.tell(cas, sha256, unless)
            return one(database, sha256)

        return answer(await desk.change(request, say))

    @router.delete(
        "/vendor-cas/{fingerprint}", status_code=204, response_class=Response
    )
    async def remove_ca(
        request: Request, fingerprint: Fingerprint, if_match: IfMatch = None
    ) -> Response:
        """Stop believing a CA, from the next handshake on."""

        def remove(database: Database) -> None:
            sha256 = _find(database, fingerprint)
            VendorCas(database).remove(sha256, unless_stale(sha256, if_match))

        await desk.change(request, remove)
        return Response(status_code=204)

    def one(database: Database, fingerprint: str) -> dict[str, Any]:
        sha256 = _find(database, fingerprint)
        return next(ca for ca in _cas(database) if ca["sha256"] == sha256)

    def unless_stale(sha256: str, if_match: str | None) -> Any:
        def check(there: list[VendorCa]) -> None:
            listed = Listed(there)
            now = (ca for ca in there if ca.certificate.sha256 == sha256)
            shown = next((ca_json(ca, listed) for ca in now), None)
            check_match(if_match, shown)

        return check

    return router


def _cas(database: Database) -> list[dict[str, Any]]:
    cas = VendorCas(database).all()
    listed = Listed(cas)
    return [ca_json(ca, listed) for ca in _seen(database, cas)]


def _seen(database: Database, cas: list[VendorCa]) -> list[VendorCa]:
    """Those that the caller sees: all, or those that his groups name."""
    if database.within is None:
        return cas
    named = {n for group in Groups(database).all() for n in group.authorities or ()}
    return [ca for ca in cas if ca.certificate.sha256 in named]


def _find(database: Database, fingerprint: str) -> str:
    cas = VendorCas(database)
    try:
        return cas.find(fingerprint, _seen(database, cas.all())).certificate.sha256
    except InputError as error:
        raise ProblemError.of(error, "not_found") from None
