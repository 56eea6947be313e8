"""Other makers' phones: curl with certificates in each maker's shape asks for files.

Every name that the maker's phones ask for, in their order. A phone gets its own file and
no other's, whatever it is called; common files hold no secret; what is not there is 404;
uploads are refused.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import ca, certificate, ec, key
from tests.live.conftest import NOW, Place

from linekey.certs.build import Issuer
from linekey.certs.certificate import Certificate
from linekey.certs.pem import parse_certificates, private_key_to_pem, to_pem
from linekey.mac import Mac
from linekey.makers.all import MAKERS
from linekey.makers.maker import FileKind, Maker
from linekey.provisioning.device import Device
from linekey.provisioning.document import CertificateEntry, Layer, parse_setting
from linekey.store.devices import Devices
from linekey.store.layers import Layers, Scope
from linekey.store.vendor_cas import VendorCas, describe_ca
from linekey.trust.anchors import anchors_of

OTHERS = [maker for maker in MAKERS.values() if not maker.snom_like]
PHONES = {
    "yealink": ("T46U", "001565AABB01", "001565AABB02", "001565AABB03"),
    "poly": ("VVX450", "0004F2AABB01", "0004F2AABB02", "0004F2AABB03"),
    "grandstream": ("GRP2614", "C074ADAABB01", "C074ADAABB02", "C074ADAABB03"),
}
"""A model, two registered phones and one that is not."""


def chain_of(maker: str) -> list[Issuer]:
    """Authorities with the names and key types of the maker's, the issuing one last."""
    if maker == "yealink":
        root = ca([("C", "CN"), ("O", "Yealink Network Technology Co.,Ltd."),
                   ("CN", "Yealink Root CA")])  # fmt: skip
        return [root, ca([("O", "Yealink Network Technology Co.,Ltd."),
                          ("CN", "Yealink Manufacturing CA")], root)]  # fmt: skip
    if maker == "poly":
        root = ca([("O", "Polycom Inc."), ("CN", "Polycom Root CA")])
        policy = ca(
            [("O", "Polycom Inc."), ("CN", "Polycom Equipment Policy CA")], root
        )
        name = [("O", "Polycom Inc."), ("CN", "Polycom Equipment Issuing CA 1")]
        return [root, policy, ca(name, policy)]
    o = ("O", "Grandstream Networks, Inc.")
    strong = key("grandstream root", "ec", "secp384r1")
    root = ca([o, ("CN", "Grandstream Networks Root CA")], own=strong)
    issuing = key("grandstream ca", "ec", "secp384r1")
    return [root, ca([o, ("CN", "Grandstream Networks CA")], root, own=issuing)]


@dataclass
class Fleet:
    place: Place
    maker: Maker
    model: str
    macs: tuple[str, str, str]
    chain: list[Issuer]

    def identity(self, mac: str) -> tuple[str, ...]:
        """Files for curl: the phone's own certificate, its chain and its key."""
        own = ec(f"phone {mac}") if self.maker.id == "grandstream" else key("phone")
        cn = mac.lower() if self.maker.id == "yealink" else mac
        leaf = certificate([("O", "x"), ("CN", cn)], own, self.chain[-1], ca=False)
        pem = self.place.folder / f"{mac}.pem"
        between = [each.certificate for each in reversed(self.chain[1:])]
        pem.write_text("".join(map(to_pem, [leaf, *between])))
        secret = self.place.folder / f"{mac}.key"
        secret.write_bytes(private_key_to_pem(own))
        return "--cert", str(pem), "--key", str(secret)

    async def ask(self, mac: str, url: str, name: str, *words: str) -> tuple[int, str]:
        got = await self.place.curl(
            "-w", "\n%{http_code} %{content_type}", *self.identity(mac), *words,
            f"{url}/{name}",
        )  # fmt: skip
        body, _, last = got.out.rpartition("\n")
        assert last, got.said
        return int(last.split()[0]), body


def password_of(mac: str) -> str:
    return f"geheim-of-{mac}"


@pytest.fixture(params=OTHERS, ids=lambda m: m.id)
def fleet(request: pytest.FixtureRequest, place: Place) -> Fleet:
    maker: Maker = request.param
    model, *macs = PHONES[maker.id]
    chain = chain_of(maker.id)
    VendorCas(place.database).add([describe_ca(i.certificate, NOW) for i in chain])
    for mac in macs[:2]:
        texts = (
            "any.account.user[1]=4711", f"any.account.password[1]={password_of(mac)}",
            "any.account.registrar[1]=pbx.example.com:5061",
            "any.account.transport[1]=tls",
        )  # fmt: skip
        layer = Layer(tuple(map(parse_setting, texts)))
        Devices(place.database).add(Device(Mac(mac), maker.id, model, layer=layer), NOW)
    root = Path(place.lab.server_root_path).read_bytes()
    common = Layer(
        (
            parse_setting("any.language=de"),
            parse_setting("any.directory.password=geheim-of-all"),
        ),
        certificates=CertificateEntry.from_file(root, "root"),
    )
    Layers(place.database).change(Scope.fleet(), lambda _: common, NOW)
    return Fleet(place, maker, model, (macs[0], macs[1], macs[2]), chain)


def named(pattern: str, mac: str, model: str) -> str:
    text = pattern.replace("{mac}", mac.lower()).replace("{model}", model.lower())
    return text.replace("{number}", "000000000108")


@pytest.mark.peer("curl")
async def test_a_phone_gets_its_own_files_in_its_order_and_no_others(
    fleet: Fleet, record_interop: Any
) -> None:
    maker, (mine, other, _) = fleet.maker, fleet.macs
    seen = set()
    async with fleet.place.serving() as server:
        for file in maker.files:
            name = named(file.pattern, mine, fleet.model)
            status, body = await fleet.ask(mine, server.url, name)
            assert status == (200 if file.served else 404), (name, body)
            assert password_of(other) not in body
            assert "geheim-of-all" not in body or file.kind is FileKind.OWN
            if file.kind is not FileKind.OWN:
                assert password_of(mine) not in body, name
            elif file.served:
                assert password_of(mine) in body, name
                read, rest = maker.terms_of(maker.grammar.read(body.encode()).lines)
                said = {(t.name, t.idx): t.value for t in read}
                assert said["any.account.transport", 1] == "tls"
                assert said["any.language", None] == "de"
                assert said["any.directory.password", None] == "geheim-of-all"
                assert not [line for line in rest if maker.weakens(line)]
                assert "BEGIN CERTIFICATE" in body or "/certificates/" in body
            if file.served:
                seen.add(file.kind)
            if "{mac}" in file.pattern:
                theirs = named(file.pattern, other, fleet.model)
                status, body = await fleet.ask(mine, server.url, theirs)
                assert status == (403 if file.served else 404), theirs
                assert "geheim" not in body
    assert FileKind.OWN in seen
    assert {FileKind.MASTER, FileKind.COMMON} & seen
    record_interop(
        "curl", f"{maker.title}: a phone gets its files in its order, and no other's"
    )


@pytest.mark.peer("curl")
async def test_what_a_phone_sends_is_refused_and_read_as_nothing(fleet: Fleet) -> None:
    mine = fleet.macs[0]
    log = fleet.place.folder / "app.log"
    log.write_text("a line of a log\n" * 50)
    async with fleet.place.serving() as server:
        for upload in fleet.maker.uploads:
            name = named(upload.pattern, mine, fleet.model)
            status, _ = await fleet.ask(mine, server.url, name, "-T", str(log))
            assert status == 405, name
            status, _ = await fleet.ask(mine, server.url, name)
            assert status == 404, name
    assert "own_file" not in fleet.place.reasons()


@pytest.mark.peer("curl")
async def test_a_phone_that_nobody_registered_gets_nothing_or_waits(
    fleet: Fleet,
) -> None:
    stranger = fleet.macs[2]
    own = next(f for f in fleet.maker.files if f.kind is FileKind.OWN and f.served)
    name = named(own.pattern, stranger, fleet.model)
    async with fleet.place.serving() as server:
        status, body = await fleet.ask(stranger, server.url, name)
        assert (status, "geheim" in body) == (403, False)
    async with fleet.place.serving(pending__policy="waiting") as server:
        status, body = await fleet.ask(stranger, server.url, name)
        assert (status, "geheim" in body) == (200, False)
        read, _ = fleet.maker.terms_of(fleet.maker.grammar.read(body.encode()).lines)
        assert [t.name for t in read] == ["any.provisioning.interval"]
        assert "trust" not in body
        assert "TLS" not in body
        assert "P8463" not in body


@pytest.mark.peer("curl")
async def test_a_certificate_by_url_is_the_phones(fleet: Fleet) -> None:
    (entry,) = Layers(fleet.place.database).get(Scope.fleet()).certificates
    async with fleet.place.serving() as server:
        got = await fleet.place.curl(
            *fleet.identity(fleet.macs[0]), "-o", str(fleet.place.folder / "ca.der"),
            f"{server.url}/certificates/{entry.certificate.sha256}.der",
        )  # fmt: skip
        assert got.code == 0, got.said
    assert (fleet.place.folder / "ca.der").read_bytes() == entry.der


@pytest.mark.peer("curl")
async def test_the_servers_root_is_in_the_file_where_no_layer_holds_it(
    fleet: Fleet, record_interop: Any
) -> None:
    """What the file brings is enough for curl to verify this very server."""
    Layers(fleet.place.database).change(Scope.fleet(), lambda _: Layer(), NOW)
    own = next(f for f in fleet.maker.files if f.kind is FileKind.OWN and f.served)
    name = named(own.pattern, fleet.macs[0], fleet.model)
    async with fleet.place.serving() as server:
        _, body = await fleet.ask(fleet.macs[0], server.url, name)
        assert "BEGIN CERTIFICATE" not in body
        assert "/certificates/" not in body
    root = fleet.place.lab.server_root()
    fleet.place.anchors = anchors_of([fleet.place.lab.server_identity()[0]], [root])
    brought = fleet.place.folder / "brought.pem"
    async with fleet.place.serving() as server:
        _, body = await fleet.ask(fleet.macs[0], server.url, name)
        values = [n.value for n in fleet.maker.grammar.read(body.encode()).lines]
        if url := next((v for v in values if v.endswith(".der")), None):
            der = fleet.place.folder / "brought.der"
            got = await fleet.place.curl(
                *fleet.identity(fleet.macs[0]), "-o", str(der), url
            )
            assert got.code == 0, got.said
            brought.write_text(to_pem(Certificate.from_der(der.read_bytes())))
        else:
            pem = next(v for v in values if v.startswith("-----BEGIN"))
            brought.write_text(pem)
        got = await fleet.place.run(
            "curl", "-sS", "--noproxy", "*", "--cacert", str(brought),
            *fleet.identity(fleet.macs[0]), f"{server.url}/{name}",
        )  # fmt: skip
        assert got.code == 0, got.said
    assert parse_certificates(brought.read_bytes()) == [root]
    record_interop(
        "curl", f"{fleet.maker.title}: the root that the file brings proves the server"
    )


@pytest.mark.peer("curl")
async def test_a_shared_certificate_fetches_the_ca_of_the_phones_own_layer(
    place: Place, record_interop: Any
) -> None:
    """An old Yealink: its certificate is many phones'; its file came by a token."""
    issuer = ca([("O", "Yealink Network Technology Co.,Ltd."),
                 ("CN", "Yealink Equipment Issuing CA")])  # fmt: skip
    VendorCas(place.database).add([describe_ca(issuer.certificate, NOW)])
    mac = Mac("001565AABB09")
    entry = CertificateEntry(ca("pbx of one phone").certificate.der)
    layer = Layer(certificates=(entry,))
    Devices(place.database).add(Device(mac, "yealink", "T38G", layer=layer), NOW)
    token = Devices(place.database).new_token(mac, NOW)
    generic = certificate([("O", "Yealink"), ("CN", "yealink.com")], key("generic"),
                          issuer, ca=False)  # fmt: skip
    (place.folder / "generic.pem").write_text(to_pem(generic))
    secret = private_key_to_pem(key("generic"))
    (place.folder / "generic.key").write_bytes(secret)
    who = ("--cert", str(place.folder / "generic.pem"),
           "--key", str(place.folder / "generic.key"))  # fmt: skip
    out = place.folder / "ca.der"
    async with place.serving() as server:
        digits = mac.digits.lower()
        got = await place.curl(*who, f"{server.url}/t/{token}/{digits}.cfg")
        (url,) = [
            line.partition(" = ")[2]
            for line in got.out.splitlines()
            if line.startswith("static.trusted_certificates.url")
        ]
        assert f"/{digits}/certificates/" in url, got.said
        got = await place.curl("-f", *who, "-o", str(out), url)
        assert got.code == 0, got.said
        assert out.read_bytes() == entry.der
        for other in (
            url.replace(digits, "001565aabb08"),
            url.replace(f"/{digits}", ""),
        ):
            got = await place.curl(*who, "-w", "%{http_code}", other)
            assert got.out.endswith("404"), got.said
    assert place.reasons()[:2] == ["token_accepted", "certificate_file"]
    assert set(place.reasons()[2:]) == {"nothing_there"}
    record_interop(
        "curl", "Yealink: a shared certificate fetches a CA of the phone's own layer"
    )
