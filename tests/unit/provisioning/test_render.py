"""The XML a phone gets: escaped, deterministic, with or without its secrets."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.catalog.firmware import Firmware
from linekey.certs.certificate import Certificate
from linekey.mac import Mac
from linekey.provisioning.document import CertificateEntry, FunctionKey, Layer, Setting
from linekey.provisioning.render import render, render_document
from linekey.xmldoc import parse_xml

MAC = Mac("000413AABBCC")
NEW = Firmware.parse("10.1.33.33")


def url(certificate: Certificate) -> str:
    return f"https://prov.example/certificates/{certificate.sha256}.der"


def rendered(
    layer: Layer, *, firmware: Firmware | None = NEW, blank_secrets: bool = False
) -> bytes:
    return render(
        layer, firmware=firmware, mac=MAC, model="D785", blank_secrets=blank_secrets,
        certificate_url=url,
    )  # fmt: skip


def test_a_whole_document_looks_like_this(der_a: bytes) -> None:
    layer = Layer(
        (
            Setting("language", "English"),
            Setting("user_name", "4711", 1, ""),
            Setting("user_realname", "R&D <x> \"q\" 'ß'", 1, "RW"),
        ),
        (
            FunctionKey(0, "line"),
            FunctionKey(1, "url", "https://h/?a=1&b=2", label='"A" & <B>', perm="R"),
        ),
        (CertificateEntry(der_a),),
    )
    lines = rendered(layer).decode().splitlines()
    assert lines[:12] == [
        '<?xml version="1.0" encoding="utf-8"?>',
        "<settings>",
        "<!-- D785 000413AABBCC -->",
        "<phone-settings>",
        "<language>English</language>",
        '<user_name idx="1" perm="">4711</user_name>',
        '<user_realname idx="1" perm="RW">R&amp;D &lt;x&gt; "q" \'ß\'</user_realname>',
        "</phone-settings>",
        "<functionKeys>",
        '<fkey idx="0" context="active" label="" perm="">line</fkey>',
        '<fkey idx="1" context="active" label="&quot;A&quot; &amp; &lt;B&gt;" perm="R">'
        "url https://h/?a=1&amp;b=2</fkey>",
        "</functionKeys>",
    ]
    assert lines[12:14] == ["<certificates>", '<certificate type="base64">']
    assert lines[-3:] == ["</certificate>", "</certificates>", "</settings>"]
    assert base64.b64decode("".join(lines[14:-3])) == der_a
    assert "BEGIN" not in "".join(lines)


@pytest.mark.parametrize(
    ("firmware", "base64_variant"),
    [
        ("8.7.5.35", False),
        ("8.7.5.51", False),
        ("8.7.5.52", True),
        ("8.9.3.40", False),  # newer by number than 8.7.5.52; the rule is per branch
        ("8.9.3.41", True),
        ("10.1.33.33", True),
        (None, False),
    ],
)
def test_old_firmware_gets_certificates_by_url(
    der_a: bytes, firmware: str | None, base64_variant: bool
) -> None:
    layer = Layer(certificates=(CertificateEntry(der_a),))
    version = Firmware.parse(firmware) if firmware else None
    (section,) = parse_xml(rendered(layer, firmware=version)).children
    (entry,) = section.children
    if base64_variant:
        assert entry.attributes == {"type": "base64"}
        assert base64.b64decode(entry.text) == der_a
    else:
        assert entry.attributes == {"url": url(Certificate.from_der(der_a))}
        assert entry.text == ""


def test_equal_layers_make_equal_bytes(der_a: bytes) -> None:
    def layer() -> Layer:
        return Layer(
            (Setting("a", "1"), Setting("b", "2")),
            (FunctionKey(0, "line"),),
            (CertificateEntry(der_a),),
        )

    assert rendered(layer()) == rendered(layer())


def test_blanked_secrets_are_left_out_and_counted() -> None:
    layer = Layer(
        (Setting("user_name", "1", 1), Setting("user_pass", "hunter2", 1)),
        (FunctionKey(0, "url", "https://a:hunter2@c/"),),
    )
    document = render_document(
        layer, firmware=NEW, mac=MAC, model=None, blank_secrets=True,
        certificate_url=url,
    )  # fmt: skip
    assert document.secrets_left_out == 2
    assert b"hunter2" not in document.body
    assert b"user_pass" not in document.body
    assert b"<!-- 2 settings are left out -->" in document.body
    assert b"hunter2" in rendered(layer)
    assert "hunter2" not in repr(document)


def test_one_bad_entry_stops_nothing(der_a: bytes) -> None:
    layer = Layer.from_plain(
        {"settings": [{"name": "good", "value": "1"}], "certificates": ["broken"]}
    ).with_certificates(CertificateEntry(der_a))
    document = render_document(
        layer, firmware=None, mac=MAC, model=None, blank_secrets=False,
        certificate_url=lambda _: "",
    )  # fmt: skip
    assert b"<good>1</good>" in document.body
    assert len(document.skipped) == 2
    parse_xml(document.body)


def test_an_empty_layer_is_a_document_too() -> None:
    assert parse_xml(rendered(Layer())).name == "settings"


def test_a_model_cannot_end_the_comment() -> None:
    body = render(
        Layer(), firmware=NEW, mac=None, model="--><x>", blank_secrets=False,
        certificate_url=url,
    )  # fmt: skip
    assert parse_xml(body).children == []
    assert b"<x>" not in body


any_text = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r<>&\"']")
)


@given(any_text, any_text, any_text)
def test_any_text_comes_back_as_it_was(value: str, label: str, context: str) -> None:
    layer = Layer(
        (Setting("user_realname", value, 1),),
        (FunctionKey(3, "speed", value, context, label, "$"),),
    )
    settings, keys = parse_xml(rendered(layer)).children
    assert settings.children[0].text == value
    assert keys.children[0].text == (f"speed {value}" if value else "speed")
    assert keys.children[0].attributes == {
        "idx": "3", "context": context, "label": label, "perm": "$",
    }  # fmt: skip
