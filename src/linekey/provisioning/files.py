"""The layers of a phone as its file, or a model's common file, and the files kept.

What stands lowest is what the server itself adds: the roots of its own chains
(``anchors``), and, for a phone that waited, what takes its waiting file back.

Rules: pure; equal arguments make equal bytes.
"""

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

from linekey.certs.certificate import Certificate
from linekey.mac import Mac
from linekey.makers.all import MAKERS
from linekey.makers.maker import Maker
from linekey.provisioning.device import Device
from linekey.provisioning.document import CertificateEntry, Layer
from linekey.provisioning.format import maker_of_record
from linekey.provisioning.group import Group
from linekey.provisioning.other_makers import (
    any_in_snoms_words,
    for_makers_phone,
    render_for_maker,
)
from linekey.provisioning.pending import TAKEN_BACK, TAKEN_BACK_NEUTRAL
from linekey.provisioning.render import Rendered, render_document
from linekey.trust.anchors import NO_ANCHORS, Anchors

MAX_RENDERED = 4096
"""Rendered files kept."""
MAX_RENDERED_BYTES = 33_554_432
"""Bytes of them together: some 4 kB for each of 8,000 phones."""


@dataclass(frozen=True, slots=True)
class SharedLayers:
    """The layers below a device's own, and its group. ``version`` tells whether a
    rendered file is of these: the version of each layer, 0 for one never set."""

    fleet: Layer
    model: Layer
    version: tuple[int, ...]
    group: Group | None = None
    """Of the phone that asks; None: of none, or of one that is not there."""
    of_group: Layer = field(default_factory=Layer)

    @property
    def all(self) -> tuple[Layer, Layer, Layer]:
        """All of them, the lowest first."""
        return self.fleet, self.of_group, self.model

    @property
    def key(self) -> tuple[object, ...]:
        """What differs wherever these differ."""
        if self.group is None:
            return self.version
        return (*self.version, self.group.name, self.group.version)

    def without_group(self) -> Self:
        """The same for whoever is in no group."""
        if self.group is None and not self.of_group:
            return self
        return dataclasses.replace(self, group=None, of_group=Layer())


def server_layer(anchors: Anchors, maker: Maker | None) -> Layer:
    """What the server itself adds, below all layers: the roots of its own chains.

    For phones whose files have them verify servers (``Maker.trust_lines``). Where CAs
    that a phone is given count in place of those that it has built in, a public root is
    left out: a phone that verifies had it when it came, and others of the kind are to
    count on.
    """
    if maker is None or maker.snom_like:
        return Layer()
    wanted = anchors.roots if maker.cas_add_up else anchors.private
    return Layer(certificates=tuple(CertificateEntry(root.der) for root in wanted))


def common_file(
    model: str | None,
    shared: SharedLayers,
    public_url: str,
    maker: Maker | None,
    anchors: Anchors = NO_ANCHORS,
) -> Rendered:
    """Render the file of a model's phones, or of a maker's, without secrets."""

    def url_of(certificate: Certificate) -> str:
        return certificate_url(public_url, certificate.sha256)

    if maker is not None and not maker.snom_like:
        below = (server_layer(anchors, maker), shared.fleet, shared.of_group)
        layer = for_makers_phone(below, shared.model, Layer(), maker)
        return render_for_maker(
            layer, maker, mac=None, model=model, blank_secrets=True,
            certificate_url=url_of,
        )  # fmt: skip
    return render_document(
        _for_snom(shared.all, Layer(), maker),
        firmware=None, mac=None, model=model, blank_secrets=True,
        certificate_url=url_of,
    )  # fmt: skip


def _for_snom(below: Sequence[Layer], own: Layer, maker: Maker | None) -> Layer:
    """Layers, the lowest first, as what a phone with Snom's settings reads."""
    return any_in_snoms_words(below, Layer(), own, maker.id if maker else "")


def phone_file(
    device: Device,
    shared: SharedLayers,
    public_url: str,
    *,
    maker: Maker | None = None,
    blank_secrets: bool = False,
    starred: bool = False,
    anchors: Anchors = NO_ANCHORS,
) -> Rendered:
    """Render a phone's own file; ``starred``: to be looked at, its secrets starred.

    ``maker`` says in whose format; None: the record does. ``anchors`` are the roots of
    the server's chains.
    """
    maker = maker or maker_of_record(device) or MAKERS["snom"]
    of_all = (*anchors.roots, *(e.certificate for e in shared.fleet.certificates))

    def url_of(certificate: Certificate) -> str:
        mac = None if certificate in of_all else device.mac
        return certificate_url(public_url, certificate.sha256, mac)

    if not maker.snom_like:
        first = (TAKEN_BACK_NEUTRAL,) if device.waited else ()
        own = server_layer(anchors, maker)
        below = (own, *first, shared.fleet, shared.of_group)
        layer = for_makers_phone(below, shared.model, device.layer, maker)
        return render_for_maker(
            layer.starred() if starred else layer,
            maker, mac=device.mac, model=device.model, blank_secrets=blank_secrets,
            certificate_url=url_of,
        )  # fmt: skip
    first = (TAKEN_BACK,) if device.waited else ()
    layer = _for_snom((*first, *shared.all), device.layer, maker)
    return render_document(
        layer.starred() if starred else layer,
        firmware=device.firmware,
        mac=device.mac,
        model=device.model,
        blank_secrets=blank_secrets,
        certificate_url=lambda c: certificate_url(public_url, c.sha256),
    )


def certificate_url(public_url: str, sha256: str, mac: Mac | None = None) -> str:
    """Return the URL at which the certificate with this SHA-256 (hex) is fetched.

    ``mac`` says whose layers hold it where not all phones' do: a phone's certificate
    may be a shared one, which does not say it.
    """
    folder = "" if mac is None else f"/{mac.digits.lower()}"
    return f"{public_url}{folder}/certificates/{sha256}.der"


class RenderedFiles:
    """Rendered files, kept until MAX_RENDERED or MAX_RENDERED_BYTES are reached.

    Rule: the key holds everything that the file depends on. A device's version is never
    given twice (``store.devices``), so a device that was removed and added again under
    its old MAC has another one.
    """

    def __init__(self) -> None:
        self._files: OrderedDict[tuple[object, ...], Rendered] = OrderedDict()
        self._bytes = 0

    def get(
        self, key: tuple[object, ...], make: Callable[[], Rendered]
    ) -> tuple[Rendered, tuple[str, ...]]:
        """Return the file of this key, made if need be, and what making it left out."""
        rendered = self._files.get(key)
        if rendered is not None:
            self._files.move_to_end(key)
            return rendered, ()
        rendered = self._files[key] = make()
        self._bytes += len(rendered.body)
        while len(self._files) > MAX_RENDERED or self._bytes > MAX_RENDERED_BYTES:
            _, old = self._files.popitem(last=False)
            self._bytes -= len(old.body)
        return rendered, rendered.skipped
