"""The phones: which hashes they support and which certificate is built in.

Three kinds of rows, told apart by ``origin``: ``table`` (SNOM-TLS's table "Phone
model / Supported Hash algorithm / Built-in certificate"), ``matrix`` (named in the
SNOM-TLS's cipher matrix, not in that table) and ``later`` (known to exist, not in the
SNOM-TLS at all). Only ``table`` rows are more than inference. ``MODELS`` has these.

Other makers' models (``OTHERS``, origin ``other``) are found by ``find_model`` as well.
What they can do in TLS no source tells: ``Model.is_known`` is false, and what a Snom's
row says of hashes and of the built-in key is empty in theirs.

Where a source can be read in two ways, ``Model.readings`` says both, and
the first one is what the row holds.
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from linekey.catalog.evidence import Confidence
from linekey.catalog.firmware import Firmware, Since
from linekey.catalog.other_models import MAKERS_DEFAULTS, OTHER_MODELS, OtherModel
from linekey.errors import InputError
from linekey.said import say

TABLE = "SNOM-TLS, Authentication of the devices: table of models"
MATRIX = "SNOM-TLS, Supported Cipher Suites"
LATER = "PBX-WAZO: later models, not in SNOM-TLS"

PUBLIC = "PBX-TEMPLATES: not in SNOM-TLS"

SHA2_FIRMWARE = Since.of("8.9.3.60", "10.1")
"""From where SHA-2 is supported at all (SNOM-TLS, Authentication of the devices:
"starting with fw 8.9.3.60 and 10.1.x"; H)."""

CERT_TYPE_FIRMWARE = Since.of("8.9.3.40")
"""From where ``phone_cert_type`` can switch the phone's own certificate to a SHA-256
one (SNOM-TLS, Phone's Web Server Certificate; H); read as 8.9 and later."""

SHA1_NAMES = ("sha1",)
SHA2_NAMES = ("sha224", "sha256", "sha384", "sha512")
"""The SHA-2 family. SNOM-TLS names the family only; that all four members are meant is
inference (L) from OpenSSL, which brings them together."""


class Generation(StrEnum):
    """A generation of device certificates."""

    SHA1 = "sha1"
    """RSA-1024 signed with SHA-1 (SNOM-TLS, Phone's Web Server Certificate; H)."""
    SHA256 = "sha256"
    """RSA-2048 signed with SHA-256 (SNOM-TLS, Phone's Web Server Certificate; H)."""

    @property
    def key_bits(self) -> int:
        """The RSA key size that SNOM-TLS names for this generation."""
        return 1024 if self is Generation.SHA1 else 2048

    @property
    def label(self) -> str:
        """As SNOM-TLS writes it: ``SHA-1`` or ``SHA-2``."""
        return "SHA-1" if self is Generation.SHA1 else "SHA-2"


SNOM = "snom"
Origin = Literal["table", "matrix", "later", "other"]


@dataclass(frozen=True, slots=True)
class Model:
    """One phone model."""

    name: str
    """Canonical name, ``D785``; the key in ``MODELS``."""
    title: str
    """As SNOM-TLS's table prints it, ``Snom 710 / D710``."""
    user_agent_name: str
    """As the matrix and the phone's User-Agent write it, ``snomD785``; file names
    begin with it. A hint when received, never evidence: operators can set it."""
    builtin: Generation | None
    """The certificate it is produced with; None: not known."""
    shared_certificate: bool
    """True: the certificate is common to many phones and names no MAC."""
    sha2_since: Since | None
    """From which firmware SHA-2 is supported; None: never. A model that always does
    has ``SHA2_FIRMWARE``: no older firmware of any model knows SHA-2."""
    sha2_native: bool
    """True where the table names SHA-2 without a firmware."""
    first_branch: tuple[int, int]
    """Oldest firmware branch this model is known or thought to have had."""
    last_branch: tuple[int, int] | None
    """Newest one; None: no end known."""
    range_confidence: Confidence
    """How sure the two branches are: they are read off the matrix, never stated."""
    origin: Origin
    source: str
    confidence: Confidence
    aliases: tuple[str, ...] = ()
    readings: tuple[str, ...] = ()
    """What the sources leave open, or where they disagree."""
    maker: str = SNOM
    """Short name of who makes it, as in ``vendors.IDENTITY_RULES``."""
    code: str = ""
    """What its maker's file for all phones of the model is called by: ``108``; several
    with blanks between them where sources disagree."""
    accounts: int | None = None
    """SIP accounts at most; None: not known."""
    line_keys: int | None = None
    usual_firmware: str = ""
    """Of another maker's: the firmware that is taken where none is given."""

    @property
    def is_known(self) -> bool:
        """Whether any source tells what it can do in TLS: of Snom's alone one does."""
        return self.maker == SNOM

    @property
    def is_dect_base(self) -> bool:
        """Whether it is a base for cordless handsets: M300 and its like."""
        return self.maker == SNOM and re.fullmatch(r"M\d+", self.name) is not None

    @property
    def key_bits(self) -> int | None:
        """RSA bits of the built-in key, by its generation; None: not known."""
        return None if self.builtin is None else self.builtin.key_bits

    @property
    def hashes(self) -> tuple[str, ...]:
        """Families it supports with a firmware new enough: ``("sha1", "sha2")``.

        Empty where that is not known.
        """
        if not self.is_known:
            return ()
        return ("sha1",) if self.sha2_since is None else ("sha1", "sha2")

    def supports_sha2(self, firmware: Firmware) -> bool:
        """Say whether SHA-2 certificates are known to work with this firmware."""
        if self.sha2_native:
            return True
        return self.sha2_since is not None and firmware.is_at_least(self.sha2_since)

    def hashes_at(self, firmware: Firmware) -> tuple[str, ...]:
        """Return the signature hashes of certificates it accepts: ``sha1``, ``sha256``…

        Names as in ``Certificate.signature_hash``. Empty where they are not known.
        """
        if not self.is_known:
            return ()
        return SHA1_NAMES + (SHA2_NAMES if self.supports_sha2(firmware) else ())

    def generations_at(self, firmware: Firmware | None) -> frozenset[Generation]:
        """Return the generations a device of this model may prove itself with.

        The built-in one; and SHA-256 where a firmware patch can bring it (SNOM-TLS,
        Upgrade to SHA-2; H) and ``phone_cert_type`` can show it. ``None`` as firmware
        means unknown: then every generation the model can ever have. Empty where the
        built-in one is not known.
        """
        if self.builtin is None:
            return frozenset()
        patched = self.sha2_since is not None and (
            firmware is None or firmware.is_at_least(CERT_TYPE_FIRMWARE)
        )
        return frozenset(
            {self.builtin, Generation.SHA256} if patched else {self.builtin}
        )

    def had_branch(self, branch: tuple[int, int]) -> bool:
        """Say whether the model is thought to have had firmware of this branch."""
        return self.first_branch <= branch and (
            self.last_branch is None or branch <= self.last_branch
        )


_COMMON = (
    "SNOM-TLS's table and warning: it has a certificate, one common to all of them,"
    " without a MAC (H; what this row holds)",
    "SNOM-TLS's prose, \"every Snom phone (except the old 3xx series) is produced with"
    ' a built-in TLS certificate": no certificate at all; taken to mean none of its'
    " own",
)


_FIRST_OLD_3XX = (8, 2)
"""SNOM-TLS speaks of 8.2.30, and no other phones of it are as old (L)."""


def _common(name: str, user_agent_name: str, *, old_3xx: bool) -> Model:
    return Model(
        name,
        f"Snom {name}",
        user_agent_name,
        builtin=Generation.SHA1,
        shared_certificate=True,
        sha2_since=None,
        sha2_native=False,
        first_branch=_FIRST_OLD_3XX if old_3xx else (8, 7),
        last_branch=(8, 7),
        range_confidence="L",
        origin="table",
        source=f"{TABLE}; warning below it",
        confidence="H",
        readings=(
            *(_COMMON if old_3xx else ()),
            "SNOM-TLS's table fills the hash and certificate cells of the 300 and"
            " leaves those of the 320, 370, PA1 and MP empty: read as merged cells",
        ),
    )


def _sha1(
    name: str,
    title: str,
    user_agent_name: str,
    first: tuple[int, int],
    last: tuple[int, int] | None,
    *aliases: str,
    readings: tuple[str, ...] = (),
) -> Model:
    return Model(
        name,
        title,
        user_agent_name,
        builtin=Generation.SHA1,
        shared_certificate=False,
        sha2_since=SHA2_FIRMWARE,
        sha2_native=False,
        first_branch=first,
        last_branch=last,
        range_confidence="M",
        origin="table",
        source=TABLE,
        confidence="H",
        aliases=aliases,
        readings=readings,
    )


def _sha2(name: str, *, readings: tuple[str, ...] = ()) -> Model:
    return Model(
        name,
        f"Snom {name}",
        f"snom{name}",
        builtin=Generation.SHA256,
        shared_certificate=False,
        sha2_since=SHA2_FIRMWARE,
        sha2_native=True,
        # The matrix names them with 10.1 only; SHA-2 itself began with 8.9.3.60, so an
        # 8.9 for them is possible, an 8.7 is not.
        first_branch=(8, 9),
        last_branch=None,
        range_confidence="L",
        origin="table",
        source=TABLE,
        confidence="H",
        readings=(
            "the table names no firmware for SHA-2: every firmware of this model",
            *readings,
        ),
    )


def _matrix_only(name: str, *, shared: bool, readings: tuple[str, ...]) -> Model:
    return Model(
        name,
        f"Snom {name}",
        f"snom{name}",
        builtin=Generation.SHA1,
        shared_certificate=shared,
        sha2_since=None,
        sha2_native=False,
        first_branch=_FIRST_OLD_3XX if name == "360" else (8, 7),
        last_branch=(8, 7),
        range_confidence="L",
        origin="matrix",
        source=f"{MATRIX}: named there, not in the table of models",
        confidence="L",
        readings=readings,
    )


def _later(
    name: str,
    title: str,
    source: str = LATER,
    user_agent_name: str = "",
    *aliases: str,
    first: tuple[int, int] = (10, 1),
    last: tuple[int, int] | None = None,
    readings: tuple[str, ...] = (),
) -> Model:
    return Model(
        name,
        title,
        user_agent_name or f"snom{name}",
        builtin=Generation.SHA256,
        shared_certificate=False,
        sha2_since=SHA2_FIRMWARE,
        sha2_native=True,
        first_branch=first,
        last_branch=last,
        range_confidence="L",
        origin="later",
        source=source,
        confidence="L",
        aliases=aliases,
        readings=(
            'not in SNOM-TLS: SHA-2 is inferred from "new phone models are already'
            ' equipped with a SHA-2 built-in certificate", the rest from the newest'
            " row of the matrix of its branches",
            *readings,
        ),
    )


_INFERRED_SHA1 = (
    "a certificate of its own, SHA-1, is inferred from its age: the matrix names it"
    " with 8.7 firmware, which knows no SHA-2"
)
_UA_725 = "the matrix writes snom725 where the table writes D725: one model"

_ROWS: tuple[Model, ...] = (
    _common("300", "snom300", old_3xx=True),
    _common("320", "snom320", old_3xx=True),
    _common("370", "snom370", old_3xx=True),
    _common("PA1", "snomPA1", old_3xx=False),
    _common("MP", "snomMP", old_3xx=False),
    _sha2("D120"),
    _sha1("D710", "Snom 710 / D710", "snom710", (8, 7), (8, 9), "710", "snomD710"),
    _sha1("D715", "Snom 715 / D715", "snom715", (8, 7), None, "715", "snomD715"),
    _sha1("D712", "Snom D712", "snomD712", (8, 9), None, "712"),
    _sha1("720", "Snom 720", "snom720", (8, 7), (8, 9), "D720"),
    _sha1("760", "Snom 760", "snom760", (8, 7), (8, 9), "D760"),
    _sha1(
        "D725", "Snom D725", "snom725", (8, 7), None, "725", "snomD725",
        readings=(_UA_725,),
    ),
    _sha2("D735"),
    _sha1("D745", "Snom D745", "snomD745", (8, 9), None),
    _sha1("D765", "Snom D765", "snomD765", (8, 7), None),
    _sha2("D785"),
    _sha1("D305", "Snom D305", "snomD305", (8, 9), None),
    _sha1("D315", "Snom D315", "snomD315", (8, 9), None),
    _sha1("D345", "Snom D345", "snomD345", (8, 9), None),
    _sha1("D375", "Snom D375", "snomD375", (8, 9), None),
    _sha2("D385"),
    _matrix_only(
        "360",
        shared=True,
        readings=(
            "an old 3xx: like its sisters 300, 320 and 370, the common SHA-1"
            " certificate without a MAC (what this row holds)",
            'SNOM-TLS\'s prose, "except the old 3xx series": no certificate at all; the'
            " SNOM-TLS's table does not name the 360",
        ),
    ),
    _matrix_only("820", shared=False, readings=(_INFERRED_SHA1,)),
    _matrix_only("821", shared=False, readings=(_INFERRED_SHA1,)),
    _matrix_only("870", shared=False, readings=(_INFERRED_SHA1,)),
    _later("D140", "Snom D140", PUBLIC),
    _later("D150", "Snom D150", PUBLIC),
    _later("D335", "Snom D335", PUBLIC),
    _later("D713", "Snom D713", PUBLIC),
    _later("D717", "Snom D717"),
    _later("D810", "Snom D810"),
    _later("D812", "Snom D812"),
    _later("D815", "Snom D815"),
    _later("D862", "Snom D862"),
    _later("D865", "Snom D865"),
    _later("D892", "Snom D892"),
    _later("D895", "Snom D895", LATER, "snomD895", "D895M"),
    _later(
        "PA1+", "Snom PA1+", PUBLIC, "snomPA1P", "PA1P", first=(8, 7), last=(8, 7),
        readings=(
            "its settings dump is like those of late 8.7.5 (M): server authentication"
            " and the name check are settings, both off",
        ),
    ),
    _later("M300", "Snom M300 (DECT base)"),
    _later("M400", "Snom M400 (DECT base)"),
    _later("M700", "Snom M700 (DECT base)"),
    _later("M900", "Snom M900 (DECT base)"),
)  # fmt: skip

MODELS: dict[str, Model] = {model.name: model for model in _ROWS}
"""Every Snom by its canonical name, in SNOM-TLS's order, later ones last."""


def _other(row: OtherModel) -> Model:
    return Model(
        row.name,
        f"{MAKERS_DEFAULTS[row.maker].title} {row.name}",
        row.user_agent_name,
        builtin=None,
        shared_certificate=row.shared_certificate,
        sha2_since=None,
        sha2_native=False,
        first_branch=(0, 0),
        last_branch=None,
        range_confidence="L",
        origin="other",
        source=row.source,
        confidence=row.confidence,
        aliases=row.aliases,
        readings=row.readings,
        maker=row.maker,
        code=row.code,
        accounts=row.accounts,
        line_keys=row.line_keys,
        usual_firmware=row.firmware,
    )


OTHERS: dict[str, Model] = {row.name: _other(row) for row in OTHER_MODELS}
"""Other makers' models by their names, a maker after the other."""
_MAKER_WORDS = ("snom", "yealink", "polycom", "poly", "grandstream", "gigaset")


def _key(text: str) -> str:
    """Fold spelling: case, spaces, hyphens and a maker's name before it do not count.

    Neither does Yealink's ``SIP-``.
    """
    folded = re.sub(r"[\s_-]", "", text).casefold()
    for word in _MAKER_WORDS:
        if folded.startswith(word) and folded != word:
            folded = folded.removeprefix(word)
            break
    return folded.removeprefix("sip")


def _spellings(models: Iterable[Model]) -> dict[str, Model]:
    found: dict[str, Model] = {}
    for model in models:
        for text in (model.name, model.user_agent_name, *model.aliases):
            other = found.setdefault(_key(text), model)
            assert other is model, f"{text!r} names both {other.name} and {model.name}"
    for model in models:  # often said without the letter: 785 for the D785
        if model.maker == SNOM and re.fullmatch(r"D\d+", model.name):
            found.setdefault(model.name[1:], model)
    return found


_BY_SPELLING = _spellings((*_ROWS, *OTHERS.values()))


def find_model(text: str) -> Model:
    """Return the model that ``text`` names: ``D785``, ``snomD785``, ``snom 710``…

    ``785`` and ``710/D710`` are fine too, as long as all parts name one model; so are
    other makers' ``T46U``, ``VVX 450`` and ``Grandstream GRP2614``. Raises InputError,
    with near names in its hint, for anything else.
    """
    found = [_BY_SPELLING.get(_key(part)) for part in text.split("/")]
    first = found[0]
    if first is not None and all(model is first for model in found):
        return first
    raise InputError(
        say("unknown phone model: %(text)s", text=repr(text)), hint=_near(text)
    )


def _near(text: str) -> str:
    near: list[str] = []
    for part in text.split("/"):
        typed = _key(part)
        if typed not in _BY_SPELLING:  # O for 0, l for 1
            digits = typed.translate(str.maketrans("oil", "011"))
            typed = digits if digits in _BY_SPELLING else typed
        for key in difflib.get_close_matches(typed, _BY_SPELLING, n=5, cutoff=0.6):
            name = _BY_SPELLING[key].name
            if name not in near:
                near.append(name)
    if near:
        return say(
            "near it: %(names)s; `linekey models` lists all", names=", ".join(near[:5])
        )
    return say("`linekey models` lists all")
