"""A merged layer as the XML document a phone reads.

    <settings>
      <phone-settings>  <name idx="N" perm="…">value</name>
      <functionKeys>    <fkey idx="N" context="…" label="…" perm="…">TYPE VALUE</fkey>
      <certificates>    <certificate type="base64">…  or  <certificate url="…" />

``<certificates>`` stands inside ``<settings>`` but outside ``<phone-settings>``
(SNOM-FILES, H). Certificates are base64 without PEM markers where the firmware reads
that (8.7.5.52 in 8.7, 8.9.3.41 in 8.9 and later; SNOM-TLS, *Uploading Server
Certificates via Provisioning*, H); for older or unknown firmware they are URLs of DER
files, which every firmware reads.

Rule: equal arguments make equal bytes, and rendering never fails for one bad entry:
it is skipped and named. Secrets that are blanked are left out altogether, since an
empty element would erase what the phone already has; a comment counts them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from linekey.catalog.firmware import Firmware
from linekey.catalog.settings_rules import BASE64_CERTIFICATES
from linekey.certs.certificate import Certificate
from linekey.certs.pem import to_base64
from linekey.mac import Mac
from linekey.provisioning.document import CertificateEntry, FunctionKey, Layer, Setting
from linekey.words import counted

CONTENT_TYPE = "text/xml; charset=utf-8"


@dataclass(frozen=True, slots=True, repr=False)
class Rendered:
    """A document, and what had to be left out of it. ``repr`` shows no content."""

    body: bytes
    skipped: tuple[str, ...] = ()
    """Entries that could not be read or written, in words, for the log."""
    secrets_left_out: int = 0
    content_type: str = CONTENT_TYPE

    def __repr__(self) -> str:
        return f"Rendered({len(self.body)} bytes, skipped={self.skipped!r})"


def render(
    layer: Layer,
    *,
    firmware: Firmware | None,
    mac: Mac | None,
    model: str | None,
    blank_secrets: bool,
    certificate_url: Callable[[Certificate], str],
) -> bytes:
    """The document's bytes; see ``render_document``."""
    return render_document(
        layer,
        firmware=firmware,
        mac=mac,
        model=model,
        blank_secrets=blank_secrets,
        certificate_url=certificate_url,
    ).body


def render_document(
    layer: Layer,
    *,
    firmware: Firmware | None,
    mac: Mac | None,
    model: str | None,
    blank_secrets: bool,
    certificate_url: Callable[[Certificate], str],
) -> Rendered:
    """Write a merged layer as one XML document in UTF-8.

    ``mac`` and ``model`` say in a comment whose document it is; both are None for the
    fleet's common file. ``certificate_url`` gives the URL of a certificate's DER, for
    firmware without the base64 variant. With ``blank_secrets`` every secret is left
    out, and what linekey does not know (``Layer.shareable``). Raises nothing for what a
    layer holds.
    """
    left_out = 0
    if blank_secrets:
        bare = layer.shareable()
        left_out = len(layer.settings) + len(layer.function_keys)
        left_out -= len(bare.settings) + len(bare.function_keys)
        layer = bare
    skipped = list(layer.unreadable)
    parts = ['<?xml version="1.0" encoding="utf-8"?>\n<settings>\n']
    if mac or model:
        # Neither can hold what would end a comment: 12 hex digits, a word.
        shown = "".join(c for c in model or "" if c.isalnum())
        parts.append(f"<!-- {' '.join(filter(None, (shown, str(mac or ''))))} -->\n")
    if left_out:
        parts.append(
            f"<!-- {counted(left_out, 'setting is', 'settings are')} left out -->\n"
        )
    if layer.settings:
        parts.append("<phone-settings>\n")
        parts.extend(map(_setting, layer.settings))
        parts.append("</phone-settings>\n")
    if layer.function_keys:
        parts.append("<functionKeys>\n")
        parts.extend(map(_function_key, layer.function_keys))
        parts.append("</functionKeys>\n")
    if layer.certificates:
        base64 = firmware is not None and BASE64_CERTIFICATES.holds(firmware)
        parts.append("<certificates>\n")
        for entry in layer.certificates:
            if base64:
                parts.append(_certificate_base64(entry))
            elif url := certificate_url(entry.certificate):
                parts.append(f'<certificate url="{_attribute(url)}" />\n')
            else:
                skipped.append(
                    f"certificate {entry.certificate.sha256}: the phone's firmware "
                    "needs a URL, and there is none"
                )
        parts.append("</certificates>\n")
    parts.append("</settings>\n")
    return Rendered("".join(parts).encode("utf-8"), tuple(skipped), left_out)


def _setting(setting: Setting) -> str:
    name = setting.name
    idx = "" if setting.idx is None else f' idx="{setting.idx}"'
    perm = "" if setting.perm is None else f' perm="{_attribute(setting.perm)}"'
    return f"<{name}{idx}{perm}>{_text(setting.value)}</{name}>\n"


def _function_key(key: FunctionKey) -> str:
    perm = "" if key.perm is None else _attribute(key.perm)
    return (
        f'<fkey idx="{key.idx}" context="{_attribute(key.context)}" '
        f'label="{_attribute(key.label)}" perm="{perm}">{_text(key.text)}</fkey>\n'
    )


def _certificate_base64(entry: CertificateEntry) -> str:
    text = to_base64(entry.certificate).strip()
    return f'<certificate type="base64">\n{text}\n</certificate>\n'


_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_ATTRIBUTE = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        # A reader turns bare white space in an attribute into spaces (XML 1.0 §3.3.3).
        "\t": "&#9;",
        "\n": "&#10;",
        "\r": "&#13;",
    }
)

_SPECIAL = re.compile(r'[&<>"\t\n\r]')


def _text(text: str) -> str:
    # Most values need nothing, and looking is cheaper than translating.
    return text.translate(_IN_TEXT) if _SPECIAL.search(text) else text


def _attribute(text: str) -> str:
    return text.translate(_IN_ATTRIBUTE) if _SPECIAL.search(text) else text
