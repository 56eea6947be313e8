"""SNOM-TLS's cipher matrix, row by row, and what lies between its rows.

``ROWS`` holds each row with its columns as printed, its notes, and two rows that the
notes themselves describe (710 from 8.7.5.49, the old ones from 8.7.5.57). ``find_row``
answers for any model and firmware and says how far the answer is from a printed row:

1. a row that names this model and this firmware: the row's own confidence (H or M);
2. else the newest row naming the model, of the same branch and not newer: M; L when a
   newer row of the branch that is not too new leaves the model out;
3. else, in the same branch, the oldest row naming the model: L;
4. else, for a branch the model is thought to have had, that branch's newest row that is
   not newer, whatever models it names (one branch is one code base): L;
5. else the newest row naming the model from an older branch, or its oldest row: L;
6. a model that no row names (the later ones): as 4; else the newest row of all: L.
"""

from dataclasses import dataclass

from linekey.catalog.evidence import Confidence, weakest
from linekey.catalog.firmware import Firmware
from linekey.catalog.models import MATRIX, MODELS, Model
from linekey.catalog.suite_columns import PREFERENCE, SuiteColumns
from linekey.certs.lines import Line

SSL3, TLS1_0, TLS1_1, TLS1_2 = 0x0300, 0x0301, 0x0302, 0x0303


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the matrix; the columns hold SNOM-TLS's words."""

    id: str
    models: tuple[str, ...]
    """Canonical model names, in SNOM-TLS's order."""
    firmwares: tuple[Firmware, ...]
    versions: tuple[int, ...]
    """Protocol versions as on the wire, oldest first (0x0300 is SSL 3)."""
    key_exchange: tuple[str, ...]
    authentication: tuple[str, ...]
    ciphers: tuple[str, ...]
    key_lengths: tuple[int, ...]
    modes: tuple[str, ...]
    macs: tuple[str, ...]
    era: Line
    """The OpenSSL line whose ClientHello, path building and defaults this row's are
    derived after: ``0.9.8``, ``1.0.0``, ``1.0.1`` or ``1.0.2``. Inference from
    versions, suites and age (L); 1.0.0 was measured on one phone of its row (M)."""
    source: str
    confidence: Confidence
    notes: tuple[str, ...] = ()
    """What SNOM-TLS says of the row, or what follows from its columns."""
    readings: tuple[str, ...] = ()
    """What SNOM-TLS leaves open, and how it is read: no surer than M."""
    from_note: bool = False
    """True: no row of its own in SNOM-TLS, but what a row's note describes."""

    @property
    def suites(self) -> tuple[int, ...]:
        """IANA numbers of every suite the columns mean, in preference order (M/L)."""
        return tuple(suite.number for suite in PREFERENCE if self._means(suite))

    def _means(self, suite: SuiteColumns) -> bool:
        needs_tls12 = suite.mode == "GCM" or suite.mac in ("SHA256", "SHA384")
        return (
            suite.key_exchange in self.key_exchange
            and suite.authentication in self.authentication
            and suite.cipher in self.ciphers
            and (suite.bits == 0 or suite.bits in self.key_lengths)
            and (suite.mode is None or suite.mode in self.modes)
            and suite.mac in self.macs
            and (not needs_tls12 or TLS1_2 in self.versions)
        )


@dataclass(frozen=True, slots=True)
class RowMatch:
    """The row that speaks for a model with a firmware, and how well it does."""

    row: Row
    confidence: Confidence
    how: str
    """One sentence: is it the row itself, or which rule led to it."""


def _fw(*texts: str) -> tuple[Firmware, ...]:
    return tuple(Firmware.parse(text) for text in texts)


_TLS10_TO_12 = (TLS1_0, TLS1_1, TLS1_2)
_END_OF_LIFE = (
    "this firmware is not supported any more (end of life); upgrade it"
    " (SNOM-TLS, notes)"
)
_NOTE_710 = (
    "since 8.7.5.49 the 710 has the TLS properties of the 715: the row below"
    " (SNOM-TLS, notes)"
)
_NOTE_REMOVED = (
    "from 8.7.5.57 on, 3DES, DES, NULL and RC4 are removed from the ciphers"
    " (SNOM-TLS, notes)"
)
_NOTE_SCOPE = (
    "the note on 8.7.5.57 stands beside the row of the old phones and lists exactly its"
    " ciphers: read as speaking of that row alone; if it means all of 8.7, then 3DES is"
    " gone here too from 8.7.5.57 on"
)
_NOTE_MERGED = (
    "the row has no firmware of its own in SNOM-TLS: read as 8.7.5.35, the cell above"
)

ROWS: tuple[Row, ...] = (
    Row(
        "8.7.3.25.9",
        (
            "300", "320", "360", "370", "D710", "720", "760", "820", "821", "870", "MP",
            "PA1",
        ),
        _fw("8.7.3.25.9"),
        (SSL3, TLS1_0),
        ("DH", "RSA"),
        ("NULL", "RSA"),
        ("3DES", "DES", "NULL", "RC4"),
        (56, 128, 168),
        ("CBC",),
        ("MD5", "SHA1"),
        "0.9.8",
        MATRIX,
        "H",
        (_END_OF_LIFE,),
    ),
    Row(
        "8.7.5.35",
        ("300", "320", "370", "D710", "PA1"),
        _fw("8.7.5.35"),
        (TLS1_0,),
        ("DH", "RSA"),
        ("NULL", "RSA"),
        ("3DES", "AES", "DES", "NULL", "RC4"),
        (56, 128, 168),
        ("CBC",),
        ("MD5", "SHA1"),
        "1.0.0",
        MATRIX,
        "H",
        (
            _NOTE_710,
            _NOTE_REMOVED,
            "AES stands without 256 among the key lengths: AES-128 only",
        ),
    ),
    Row(
        "8.7.5.35-715",
        ("D715", "720", "D725", "760", "D765", "821", "870", "MP"),
        _fw("8.7.5.35"),
        _TLS10_TO_12,
        ("DH", "ECDH", "RSA", "SRP"),
        ("DSS", "ECDSA", "RSA"),
        ("3DES", "AES", "Camellia"),
        (128, 168, 256),
        ("CBC", "GCM"),
        ("SHA1", "SHA256", "SHA384"),
        "1.0.1",
        MATRIX,
        "M",
        readings=(_NOTE_MERGED, _NOTE_SCOPE),
    ),
    Row(
        "8.7.5.49-710",
        ("D710",),
        _fw("8.7.5.49"),
        _TLS10_TO_12,
        ("DH", "ECDH", "RSA", "SRP"),
        ("DSS", "ECDSA", "RSA"),
        ("3DES", "AES", "Camellia"),
        (128, 168, 256),
        ("CBC", "GCM"),
        ("SHA1", "SHA256", "SHA384"),
        "1.0.1",
        f"{MATRIX}, note of row 8.7.5.35",
        "H",
        (_NOTE_710,),
        (_NOTE_SCOPE,),
        from_note=True,
    ),
    Row(
        "8.7.5.57",
        ("300", "320", "370", "PA1"),
        _fw("8.7.5.57"),
        (TLS1_0,),
        ("DH", "RSA"),
        ("NULL", "RSA"),
        ("AES",),
        (128,),
        ("CBC",),
        ("SHA1",),
        "1.0.0",
        f"{MATRIX}, note of row 8.7.5.35",
        "H",
        (
            _NOTE_REMOVED,
            "with RC4 and NULL gone, no suite with MD5 is left, nor a key of 56 or 168"
            " bits: those words of the row mean nothing any more",
            "authentication NULL stays, as the row says: anonymous DH with AES",
        ),
        from_note=True,
    ),
    Row(
        "8.9.3.52",
        ("D305", "D315", "D345", "D375", "D745"),
        _fw("8.9.3.52"),
        _TLS10_TO_12,
        ("DH", "ECDH", "RSA"),
        ("ECDSA", "RSA"),
        ("AES",),
        (128, 256),
        ("CBC", "GCM"),
        ("SHA1", "SHA256", "SHA384"),
        "1.0.2",
        MATRIX,
        "H",
    ),
    Row(
        "10.1",
        (
            "D120", "D305", "D315", "D345", "D375", "D385", "D712", "D715", "D725",
            "D735", "D745", "D765", "D785",
        ),
        _fw("10.1.20.0", "10.1.33.33"),
        _TLS10_TO_12,
        ("DH", "ECDH", "RSA"),
        ("ECDSA", "RSA"),
        ("AES",),
        (128, 256),
        ("CBC", "GCM"),
        ("SHA1", "SHA256", "SHA384"),
        "1.0.2",
        MATRIX,
        "H",
        readings=(
            "SNOM-TLS breaks the row's phones over several lines after the D345; the"
            " columns are read as speaking for all of them",
        ),
    ),
)  # fmt: skip
"""Every row, oldest firmware first, in SNOM-TLS's order."""

assert all(name in MODELS for row in ROWS for name in row.models)


def firmwares_of(model: Model) -> tuple[Firmware, ...]:
    """Return every firmware at which a row speaks for the model, oldest first.

    For a model that no row names: the newest firmware of the matrix whose branch it is
    thought to have had.
    """
    speaking = [(fw, row) for row in ROWS for fw in row.firmwares]
    named = {fw for fw, row in speaking if model.name in row.models}
    kin = [fw for fw, _ in speaking if model.had_branch(fw.branch)]
    return tuple(sorted(named)) or (max(kin),)


def find_row(model: Model, firmware: Firmware) -> RowMatch:
    """Return the row that speaks for this model and firmware, by the rules above."""
    speaking = [(fw, row) for row in ROWS for fw in row.firmwares]
    own = [(fw, row) for fw, row in speaking if model.name in row.models]
    branch = [(fw, row) for fw, row in own if fw.branch == firmware.branch]
    not_newer = [(fw, row) for fw, row in branch if fw <= firmware]
    if not_newer:
        fw, row = not_newer[-1]
        if fw == firmware:
            return RowMatch(row, row.confidence, f"row {fw} of the matrix")
        left_out = [
            other
            for other, printed in speaking
            if other.branch == firmware.branch
            and fw < other <= firmware
            and not printed.from_note
        ]
        how = f"between rows: the newest row of the branch that is not newer is {fw}"
        if left_out:
            how += f"; row {left_out[-1]} leaves this model out"
            return RowMatch(row, "L", how)
        return RowMatch(row, weakest("M", row.confidence), how)
    if branch:
        fw, row = branch[0]
        how = f"older than any row: the oldest row of the branch is {fw}"
        return RowMatch(row, "L", how)
    return _other_branch(model, firmware, own, speaking)


def _other_branch(
    model: Model,
    firmware: Firmware,
    own: list[tuple[Firmware, Row]],
    speaking: list[tuple[Firmware, Row]],
) -> RowMatch:
    kin = [(fw, row) for fw, row in speaking if fw.branch == firmware.branch]
    if kin and model.had_branch(firmware.branch):
        fw, row = next(
            ((fw, row) for fw, row in reversed(kin) if fw <= firmware), kin[0]
        )
        how = (
            f"no row of this branch names the {model.name}; row {fw} speaks for others"
        )
        return RowMatch(row, "L", how)
    if not own:
        how = f"no row names the {model.name}; the newest row stands in"
        return RowMatch(ROWS[-1], "L", how)
    older = [(fw, row) for fw, row in own if fw <= firmware]
    fw, row = older[-1] if older else own[0]
    where = "newest older" if older else "oldest"
    how = (
        f"no row of branch {_dotted(firmware.branch)}; the model's {where} row is {fw}"
    )
    return RowMatch(row, "L", how)


def _dotted(branch: tuple[int, int]) -> str:
    return f"{branch[0]}.{branch[1]}"
