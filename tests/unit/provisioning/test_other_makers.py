"""A phone's file in its maker's words: what is in it, and what never is."""

import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.certificates import ca, ec

from linekey.lint.judge import lint
from linekey.lint.source import read_source
from linekey.mac import Mac
from linekey.makers.all import MAKERS
from linekey.makers.grammar import Line
from linekey.makers.maker import Maker
from linekey.makers.poly.maker import OWN_FILE
from linekey.provisioning.device import Device
from linekey.provisioning.document import (
    CertificateEntry,
    FunctionKey,
    Layer,
    Mark,
    Setting,
    parse_setting,
)
from linekey.provisioning.files import (
    SharedLayers,
    common_file,
    phone_file,
    server_layer,
)
from linekey.provisioning.other_makers import (
    any_in_snoms_words,
    as_the_phone_reads,
    for_maker,
    is_snoms_alone,
    render_for_maker,
    render_master,
)
from linekey.provisioning.render import Rendered
from linekey.trust.anchors import Anchors

OTHERS = [maker for maker in MAKERS.values() if not maker.snom_like]
SNOM_LIKE = [maker for maker in MAKERS.values() if maker.snom_like]
MODELS = {"yealink": "T46U", "poly": "VVX450", "grandstream": "GRP2614"}
PHONE = Mac("001565AABBCC")
NOW = datetime(2026, 11, 30, tzinfo=UTC)
ACCOUNT = (
    "any.account.user[1]=4711", "any.account.password[1]=geheim",
    "any.account.registrar[1]=pbx.example.com:5061", "any.account.transport[1]=tls",
)  # fmt: skip


def layer(*texts: str) -> Layer:
    return Layer(tuple(map(parse_setting, texts)))


def file_of(
    maker: Maker,
    own: Layer,
    fleet: Layer | None = None,
    model: Layer | None = None,
    **how: Any,
) -> Rendered:
    device = Device(PHONE, maker.id, MODELS.get(maker.id), layer=own)
    shared = SharedLayers(fleet or Layer(), model or Layer(), (1, 1))
    return phone_file(device, shared, "https://prov.example.com", **how)


def lines(maker: Maker, file: Rendered) -> dict[str, str]:
    return {n.name: n.value for n in maker.grammar.read(file.body).lines}


def terms(maker: Maker, file: Rendered) -> dict[tuple[str, int | None], str]:
    found, _ = maker.terms_of(maker.grammar.read(file.body).lines)
    return {(t.name, t.idx): t.value for t in found}


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
def test_one_record_makes_every_makers_file(maker: Maker) -> None:
    file = file_of(maker, layer(*ACCOUNT), layer("any.language=de"))
    assert not file.skipped
    assert file.content_type == maker.grammar.content_type
    assert terms(maker, file) == {
        ("any.account.user", 1): "4711",
        ("any.account.password", 1): "geheim",
        ("any.account.registrar", 1): "pbx.example.com:5061",
        ("any.account.transport", 1): "tls",
        ("any.language", None): "de",
    }


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
def test_a_bare_name_is_snoms_where_makers_share_a_layer(maker: Maker) -> None:
    (line, *_), _ = maker.lines_of([Line("any.account.label", "Hall", 1)])
    bare, prefixed = f"{line.name}=bare", f"{maker.id}:{line.name}=prefixed"
    assert line.name not in lines(maker, file_of(maker, Layer(), layer(bare)))
    found = lines(maker, file_of(maker, Layer(), layer(prefixed)))
    assert found[line.name] == "prefixed"
    for own, model in ((layer(bare), None), (Layer(), layer(bare))):
        assert lines(maker, file_of(maker, own, model=model))[line.name] == "bare"
    snoms = file_of(maker, Layer(), layer("language=Deutsch", "user_host[1]=x"))
    assert "Deutsch" not in snoms.body.decode()
    assert not snoms.skipped


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
def test_the_makers_own_setting_wins_over_a_term_and_the_phones_over_all(
    maker: Maker,
) -> None:
    (line, *_), _ = maker.lines_of([Line("any.account.label", "Hall", 1)])
    file = file_of(
        maker,
        layer(f"{line.name}=mine", "any.account.label[1]=term"),
        layer(f"{maker.id}:{line.name}=fleets"),
    )
    assert lines(maker, file)[line.name] == "mine"
    assert file.body.count(line.name.encode()) in (1, 2)  # opened and closed


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
def test_another_makers_settings_are_not_in_it(maker: Maker) -> None:
    others = [m.id for m in MAKERS.values() if m is not maker]
    fleet = layer(*(f"{other}:secret.of.{other}=x" for other in others))
    assert b"secret.of" not in file_of(maker, Layer(), fleet).body


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
def test_a_snom_setting_of_the_phones_own_is_named(maker: Maker) -> None:
    file = file_of(maker, layer("language=Deutsch", "user_name[1]=4711"))
    assert len(file.skipped) == 2
    assert "Deutsch" not in file.body.decode()


WEAK = {
    "yealink": "static.security.trust_certificates",
    "poly": "device.sec.TLS.prov.strictCertCommonNameValidation",
    "grandstream": "P8463",
}


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
def test_verification_is_on_unless_the_phones_own_layer_says_so_by_name(
    maker: Maker,
) -> None:
    name = WEAK[maker.id]
    assert lines(maker, file_of(maker, Layer()))[name] == "1"
    for own, fleet in (
        (layer(f"{name}=0"), Layer()),
        (Layer(), layer(f"{maker.id}:{name}=0")),
        (layer(f"{name}=0"), layer(f"any.trust.except={name}")),
    ):
        file = file_of(maker, own, fleet)
        assert lines(maker, file)[name] == "1"
        (skipped,) = file.skipped
        assert skipped.startswith(f"{name}: left out")
    own = layer(f"{name}=0", f"any.trust.except=x, {name}")
    file = file_of(maker, own)
    assert lines(maker, file)[name] == "0"
    assert not file.skipped
    assert b"any.trust" not in file.body


def test_grandstreams_names_become_numbers_and_cannot_weaken_either() -> None:
    maker = MAKERS["grandstream"]
    own = layer(
        "account.1.sip.userid=4711", "account.1.sip.transport=TlsOrTcp",
        "security.validate.serverCertificate=No", "no.such.name=1",
    )  # fmt: skip
    file = file_of(maker, own)
    found = lines(maker, file)
    assert (found["P35"], found["P130"], found["P8463"]) == ("4711", "2", "1")
    assert len(file.skipped) == 2


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
def test_the_ca_is_in_it_in_the_makers_way(maker: Maker, der_a: bytes) -> None:
    entry = CertificateEntry(der_a)
    body = file_of(maker, Layer(), Layer(certificates=(entry,))).body.decode()
    if maker.id == "yealink":
        url = f"https://prov.example.com/certificates/{entry.certificate.sha256}.der"
        assert f"static.trusted_certificates.url = {url}\n" in body
        return
    values = lines(maker, file_of(maker, Layer(), Layer(certificates=(entry,))))
    pem = next(v for v in values.values() if v.startswith("-----BEGIN"))
    read = CertificateEntry.from_file(pem.encode(), "x")
    assert [e.der for e in read] == [der_a]


def held(maker: Maker, file: Rendered) -> list[str]:
    """The CAs of a file, in its order: their SHA-256."""
    found = []
    for line in maker.grammar.read(file.body).lines:
        if line.value.startswith("-----BEGIN"):
            (entry,) = CertificateEntry.from_file(line.value.encode(), "x")
            found.append(entry.certificate.sha256)
        elif line.value.endswith(".der"):
            found.append(line.value.rpartition("/")[2].removesuffix(".der"))
    return found


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
def test_the_root_of_the_servers_chain_is_in_it_without_any_layer(
    maker: Maker,
) -> None:
    roots = [ca(f"root {n}", own=ec(f"root {n}")).certificate for n in range(3)]
    mine, also, layers = roots
    anchors = Anchors(private=(mine, also))
    assert held(maker, file_of(maker, Layer())) == []
    file = file_of(maker, Layer(), anchors=anchors)
    assert held(maker, file) == [mine.sha256, also.sha256]
    # First, so that a layer with many CAs does not crowd them out; and each once.
    entries = (CertificateEntry(layers.der), CertificateEntry(mine.der))
    file = file_of(maker, Layer(certificates=entries), anchors=Anchors(private=(mine,)))
    assert held(maker, file) == [mine.sha256, layers.sha256]
    common = common_file(
        "X", SharedLayers(Layer(), Layer(), ()), "https://h", maker, anchors
    )
    assert held(maker, common) == [mine.sha256, also.sha256]


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
def test_a_public_root_is_in_it_where_it_does_not_replace_those_built_in(
    maker: Maker,
) -> None:
    root = ca("public root", own=ec("public root")).certificate
    file = file_of(maker, Layer(), anchors=Anchors(public=(root,)))
    assert held(maker, file) == ([] if maker.id == "poly" else [root.sha256])


def test_a_snom_like_phones_file_is_as_it_was(der_a: bytes) -> None:
    root = CertificateEntry(der_a).certificate
    for maker in SNOM_LIKE:
        assert server_layer(Anchors(private=(root,)), maker) == Layer()


def test_where_a_ca_is_not_all_phones_its_url_says_whose_it_is(der_a: bytes) -> None:
    entry = CertificateEntry(der_a)
    here = Layer(certificates=(entry,))
    sha = entry.certificate.sha256
    whose = f"https://prov.example.com/001565aabbcc/certificates/{sha}.der"
    alls = f"https://prov.example.com/certificates/{sha}.der"
    yealink = MAKERS["yealink"]
    for file, url in (
        (file_of(yealink, here), whose),
        (file_of(yealink, Layer(), model=here), whose),
        (file_of(yealink, Layer(), here), alls),
        (file_of(yealink, here, here), alls),
        (file_of(yealink, Layer(), anchors=Anchors((entry.certificate,))), alls),
    ):
        assert lines(yealink, file)["static.trusted_certificates.url"] == url


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
def test_a_blanked_file_and_a_look_have_no_secret(maker: Maker) -> None:
    own = layer(*ACCOUNT, "any.admin.password=geheim2")
    for how in ({"blank_secrets": True}, {"starred": True}):
        file = file_of(maker, own, **how)
        assert b"geheim" not in file.body
        assert b"4711" in file.body
        assert not file.skipped
    assert b"*****" in file_of(maker, own, starred=True).body
    assert file_of(maker, own, blank_secrets=True).secrets_left_out == 2


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
def test_what_is_marked_and_what_is_not_known_is_in_no_common_file(
    maker: Maker,
) -> None:
    fleet = Layer(
        (
            Setting(f"{maker.id}:a.b", "unknown"),
            Setting(f"{maker.id}:c.d", "public", mark=Mark.PUBLIC),
            Setting("any.account.label", "geheim", 1, mark=Mark.SECRET),
        )
    )
    made = render_for_maker(
        for_maker(fleet, maker, own=False), maker, mac=None, model=None,
        blank_secrets=True, certificate_url=lambda _: "",
    )  # fmt: skip
    assert b"unknown" not in made.body
    assert b"geheim" not in made.body


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
def test_function_keys_of_the_phone_become_its_keys(maker: Maker) -> None:
    keys = (FunctionKey(0, "line"), FunctionKey(1, "blf", "4712", label="Bob"))
    own = Layer(function_keys=(*keys, FunctionKey(2, "keyevent", "F_DND")))
    file = file_of(maker, own)
    found = terms(maker, file)
    assert found["any.key.type", 1] == "line"
    assert found["any.key.type", 2] == "blf"
    assert found["any.key.value", 2] == "4712"
    assert len(file.skipped) == 1
    shared = file_of(maker, Layer(), Layer(function_keys=keys))
    assert ("any.key.type", 1) not in terms(maker, shared)


@pytest.mark.parametrize("maker", SNOM_LIKE, ids=lambda m: m.id)
def test_snoms_phones_read_neutral_terms_too(maker: Maker) -> None:
    own = layer(
        *ACCOUNT, "any.account.srtp[1]=required", "any.key.type[1]=blf",
        "any.key.value[1]=4712", "any.key.label[1]=Bob", "yealink:lang.gui=German",
        "snom:web_language=Deutsch", "user_name[1]=9999",
    )  # fmt: skip
    file = file_of(maker, own)
    root = ET.fromstring(file.body)
    found = {
        (e.tag, e.attrib.get("idx")): e.text for e in root.iterfind("phone-settings/*")
    }
    assert found == {
        ("user_name", "1"): "9999",
        ("user_pass", "1"): "geheim",
        ("user_host", "1"): "pbx.example.com:5061",
        ("user_outbound", "1"): "pbx.example.com:5061;transport=tls",
        ("user_srtp", "1"): "on",
        ("user_savp", "1"): "mandatory",
        ("web_language", None): "Deutsch",
    }
    (key,) = root.iterfind("functionKeys/fkey")
    assert (key.text, key.attrib["idx"], key.attrib["label"]) == (
        "blf 4712",
        "0",
        "Bob",
    )
    assert b"geheim" not in file_of(maker, own, starred=True).body
    assert b"geheim" not in file_of(maker, own, blank_secrets=True).body


def test_layers_of_snom_alone_are_told() -> None:
    assert is_snoms_alone([layer("language=x", "user_name[1]=1")])
    assert not is_snoms_alone([Layer(), layer("any.language=de")])
    assert not is_snoms_alone([layer("yealink:a=1")])


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=30)), max_size=6))
def test_no_value_of_a_layer_adds_anything_and_nothing_fails(
    pairs: list[tuple[str, str]],
) -> None:
    made = []
    for name, value in pairs:
        try:
            made.append(Setting(name, value))
        except Exception:  # noqa: BLE001 - no setting's name or value
            continue
    for maker in OTHERS:
        file = file_of(maker, Layer(tuple(made)))
        allowed = {s.name.partition(":")[2] or s.name for s in made}
        allowed |= {maker.translate(Line(name, "")).name for name in allowed}
        plain = set(lines(maker, file_of(maker, Layer())))
        assert set(lines(maker, file)) <= allowed | plain


def test_a_master_names_the_phones_file_and_nothing_else() -> None:
    poly = MAKERS["poly"]
    own = ET.fromstring(render_master(poly, PHONE).body)
    assert own.attrib["CONFIG_FILES"] == OWN_FILE.replace("{mac}", "001565aabbcc")
    common = ET.fromstring(render_master(poly, None).body)
    assert common.attrib["CONFIG_FILES"] == "[PHONE_MAC_ADDRESS]-user.cfg"


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
def test_equal_layers_make_equal_bytes(maker: Maker) -> None:
    own = layer(*ACCOUNT)
    assert file_of(maker, own) == file_of(maker, own)


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
def test_a_phones_layers_are_shown_as_far_as_they_are_for_it(maker: Maker) -> None:
    fleet = layer(
        "language=Deutsch", "any.language=de", f"{maker.id}:a.b=1", "snom:c=2"
    )
    model, own = layer("d.e=3"), layer("a.b=4", "any.trust.except=a")
    layers = [("fleet", fleet), ("model:X", model), ("device", own)]
    shown = as_the_phone_reads(layers, maker.id)
    assert [[s.name for s in each.settings] for _, each in shown] == [
        ["any.language", "a.b"], ["d.e"], ["a.b", "any.trust.except"]
    ]  # fmt: skip
    assert as_the_phone_reads(layers, "snom") == layers
    assert as_the_phone_reads([], maker.id) == []


@pytest.mark.parametrize("maker", MAKERS.values(), ids=lambda m: m.id)
def test_accounts_of_any_maker_are_found_in_snoms_words(maker: Maker) -> None:
    fleet, own = layer("any.account.registrar[1]=pbx.example.com"), layer(*ACCOUNT[:2])
    whole = any_in_snoms_words([fleet, Layer()], Layer(), own, maker.id)
    found = {s.slot: s.value for s in whole.settings}
    assert found["user_name", 1] == "4711"
    assert found["user_pass", 1] == "geheim"
    assert found["user_host", 1] == "pbx.example.com"


def test_accounts_in_a_makers_own_words_are_found_too() -> None:
    own = layer("account.2.user_name=4711", "account.2.password=geheim")
    whole = any_in_snoms_words([Layer()], Layer(), own, "yealink")
    found = {s.slot: s.value for s in whole.settings}
    assert (found["user_name", 2], found["user_pass", 2]) == ("4711", "geheim")


WHOLE = (
    "any.account.user[1]=4711", "any.account.password[1]=kR7-vq2Zw9-pLm",
    "any.account.registrar[1]=pbx.example.com", "any.account.transport[1]=tls",
    "any.account.srtp[1]=required", "any.account.outbound[1]=sbc.example.com",
    "any.key.type[1]=line", "any.key.account[1]=1", "any.language=en",
    "any.directory.server=ldap.example.com:636", "any.directory.transport=ldaps",
    "any.directory.password=Wq8-mm3Lk0-zzT", "any.directory.user=cn=phones",
    "any.provisioning.url=https://prov.example.com/", "any.provisioning.interval=86400",
    "any.provisioning.user=4711", "any.provisioning.password=Tt4-xy8Bv1-ooP",
    "any.admin.password=Zz9-aa1Cc2-ddE", "any.trust.min_tls=1.2",
)  # fmt: skip


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
def test_the_lint_finds_nothing_in_what_linekey_writes(maker: Maker) -> None:
    root = ca("lint root", own=ec("lint root")).certificate
    given = Anchors(private=(root,))
    whole = layer(*WHOLE)
    own = file_of(maker, whole, anchors=given)
    assert not own.skipped
    shared = SharedLayers(whole, Layer(), ())
    files = {
        "own.cfg": own,
        "common.cfg": common_file("X", shared, "https://h", maker, given),
    }
    if maker.id == "poly":
        files |= {f"{m}.cfg": render_master(maker, m) for m in (None, PHONE)}
    for name, file in files.items():
        source = read_source(name, file.body)
        assert source.maker.id == maker.id
        (report,) = lint([source], NOW)
        assert report.findings == (), name


def test_whom_else_a_phone_asks_is_switched_off_once_it_knows_whom_to_ask() -> None:
    names = {
        "yealink": ("static.auto_provision.pnp_enable", "static.zero_touch.enable"),
        "poly": ("device.prov.ztpEnabled",),
        "grandstream": (),
    }
    url = "any.provisioning.url=https://prov.example.com/"
    for maker in OTHERS:
        found = lines(maker, file_of(maker, layer(url)))
        assert [found[name] for name in names[maker.id]] == ["0"] * len(names[maker.id])
        # A phone that was told by them alone would not find back.
        without = lines(maker, file_of(maker, layer("any.language=en")))
        assert not set(without) & set(names[maker.id])
        for name in names[maker.id]:
            mine = lines(maker, file_of(maker, layer(url, f"{name}=1")))
            assert mine[name] == "1"
    own = "static.auto_provision.server.url=https://prov.example.com/"
    found = lines(MAKERS["yealink"], file_of(MAKERS["yealink"], layer(own)))
    assert found["static.auto_provision.pnp_enable"] == "0"
