"""What a request target names: one phone's file, a common file, or nothing.

The raw target is read as bytes, before anything else has decoded or tidied it, and
has one clear meaning or is refused with the reason. A phone asks plainly, so plain is
all that is understood: letters, digits, ``.``, ``-``, ``_`` and single slashes. There
is nothing to decode, hence no second decoding to disagree with the first.

    /snomD785.htm                     the model's common file
    /snomD785-000413AABBCC.htm        that phone's file; so are /000413AABBCC,
    /000413AABBCC.xml                 /000413AABBCC/snomD785.htm and
    /settings.xml?mac=000413AABBCC    … with ?mac= (the {mac} expansions)
    /snomD785.htm?mac=000413AABBCC    and a common file's name with ?mac=
    /certificates/<sha256>.der        a certificate for phones to trust
    /001565aabbcc/certificates/…      the same, for that phone
    /001565aabbcc.cfg                 another maker's phone's file, or what names it
    /000000000000.cfg                 and another maker's common one
    /001565aabbcc.boot                a name that such phones ask for and that has
    /0004f2aabbcc-app.log             nothing under it, or that they only write to
    /t/<token>/…                      any of these, with a one-time token
    /prov/…                           any of these in a folder, or several

Folders before the file mean nothing: other provisioning servers have them (FusionPBX
/app/provision/, Tancredi /provisioning/), and phones keep their URLs when the server
behind them changes. ``bases`` lists those that are served; without it any will do.

Rule: a MAC counts only where a file-name convention puts it; two different MACs
anywhere in one target are refused. Nothing here knows which phones exist.

Sources of file names: SNOM-SETTING ``setting_server``, POLY-UCS, YEALINK-GUIDE,
GRANDSTREAM-GUIDE, CISCO-MPP (H), as ``makers`` has them; Gigaset's own prefix is an
inference from its Snom-derived firmware (L).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

from linekey.catalog.secrecy import mask_url
from linekey.catalog.vendors import LAB_VENDOR
from linekey.mac import Mac
from linekey.makers.all import MAKERS
from linekey.provisioning.decision import Reason
from linekey.provisioning.device import is_token
from linekey.said import say

MAX_TARGET = 1024
"""Bytes of a whole target. A base path, a token and a file name need some 250."""

SNOM = frozenset({"snom", LAB_VENDOR})
SNOM_LIKE = SNOM | {"gigaset", "lab-gigaset"}
"""Vendors whose phones read Snom's XML (GIGASET-WIKI), and the lab."""


@dataclass(frozen=True, slots=True)
class _Named:
    text: str
    """The target as it may be shown: a token masked, odd bytes escaped."""
    vendors: frozenset[str] = frozenset()
    """Whose phones ask by such a name."""
    token: str | None = field(default=None, repr=False)
    """The one-time token of a ``/t/<token>/`` prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneFile(_Named):
    """The configuration of one phone. ``model`` is what the name says, unproved."""

    mac: Mac
    model: str | None = None
    pattern: str = ""
    """The name as a maker has it, in lower case: ``{mac}.cfg``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonFile(_Named):
    """A file for every phone of a model, or of the fleet (``model`` is None)."""

    model: str | None = None
    pattern: str = ""
    """As a phone's file has it: ``000000000000.cfg``, ``cfg{model}.xml``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFile(_Named):
    """A certificate by the SHA-256 of its DER (64 lower-case hex digits).

    ``mac`` says whose layers may hold it, where the client's certificate names no
    phone; None: those of all phones.
    """

    sha256: str
    mac: Mac | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadFile(_Named):
    """What some phones PUT: logs, and their users' changes. Understood, and refused.

    Some ask for it, too, before; nothing is there.
    """

    mac: Mac


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsentFile(_Named):
    """A name that a maker's phones ask for, and that linekey has nothing under.

    They go on to the next name; ``mac`` is None where the name has none.
    """

    mac: Mac | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing(_Named):
    """No file at all: NOTHING_THERE or AMBIGUOUS_REQUEST, and what is wrong."""

    reason: Reason
    detail: str


Resource = PhoneFile | CommonFile | CertificateFile | UploadFile | AbsentFile | Nothing


class _Convention(NamedTuple):
    pattern: re.Pattern[str]
    kind: type[_Named]
    vendors: frozenset[str]
    shown: str
    """The name as a maker has it: ``{mac}.cfg``."""


def _convention(pattern: str, kind: type[_Named], *vendors: str) -> _Convention:
    expanded = pattern.replace("MAC", r"(?P<mac>[0-9a-f]{12})").replace(
        "MODEL", r"(?P<model>[a-z0-9]{1,10})"
    )
    shown = pattern.replace("MAC", "{mac}").replace("MODEL", "{model}")
    shown = shown.replace("[0-9]{12}", "{number}").replace("0{12}", "0" * 12)
    flags = re.ASCII | re.IGNORECASE
    named = frozenset(vendors) | {f"lab-{v}" for v in vendors if v in MAKERS}
    return _Convention(
        re.compile(expanded, flags), kind, named, shown.replace("\\", "")
    )


# The first that fits the whole file name counts; they do not overlap otherwise. What
# most phones ask for stands first, save for the names of only zeros.
_CONVENTIONS = (
    _convention(r"0{12}\.cfg", CommonFile, "poly"),
    _convention(r"0{12}-(?:license\.cfg|directory\.xml)", AbsentFile, "poly"),
    _convention(r"y[0-9]{12}\.cfg", CommonFile, "yealink"),
    _convention(r"y[0-9]{12}\.boot", AbsentFile, "yealink"),
    _convention(r"snom(?:MODEL)?-MAC\.(?:htm|xml)", PhoneFile, "snom"),
    _convention(r"snom(?:MODEL)?\.(?:htm|xml)", CommonFile, "snom"),
    _convention(r"gigaset(?:MODEL)?-MAC\.(?:htm|xml)", PhoneFile, "gigaset"),
    _convention(r"gigaset(?:MODEL)?\.(?:htm|xml)", CommonFile, "gigaset"),
    _convention(r"settings-MAC\.(?:htm|xml)", PhoneFile, "snom", "gigaset"),
    _convention(r"settings\.(?:htm|xml)", CommonFile, "snom", "gigaset"),
    _convention(r"MAC(?:\.htm)?", PhoneFile, "snom", "gigaset"),
    _convention(r"MAC\.xml", PhoneFile, "snom", "gigaset", "cisco"),
    _convention(r"MAC\.cfg", PhoneFile, "yealink", "poly"),
    _convention(r"cfgMAC\.xml", PhoneFile, "grandstream"),
    _convention(r"MAC-user\.cfg", PhoneFile, "poly"),
    _convention(r"MAC\.boot", AbsentFile, "yealink"),
    _convention(r"cfgMAC(?:\.bin)?", AbsentFile, "grandstream"),
    _convention(r"cfgMODEL\.xml", CommonFile, "grandstream"),
    _convention(r"cfg\.xml", CommonFile, "grandstream"),
    _convention(r"MAC-[a-z]{1,16}\.log", UploadFile, "poly"),
    _convention(r"MAC-(?:phone|web)\.cfg", UploadFile, "poly"),
    _convention(r"MAC-(?:calls|directory)\.xml", UploadFile, "poly"),
    _convention(r"MAC-local\.cfg", UploadFile, "yealink"),
    _convention(r"MAC-license\.cfg", AbsentFile, "poly"),
    _convention(r"SEPMAC\.cnf\.xml", PhoneFile, "cisco"),
)
_CERTIFICATE = re.compile(
    r"(?:/(?P<mac>[0-9a-f]{12}))?/certificates/(?P<sha256>[0-9a-f]{64})\.der",
    re.ASCII | re.IGNORECASE,
)
_FOLDER = re.compile(r"/([0-9a-f]{12})/([^/]+)", re.ASCII | re.IGNORECASE)
_HOLDS_A_MAC_PARAMETER = re.compile(
    r"/(?:settings\.(?:htm|xml)|index\.php)?", re.IGNORECASE
)

# Whole segments of plain characters, none of them ending in a dot; perhaps a last "/".
_PLAIN_PATH = re.compile(rb"/|(?:/[A-Za-z0-9._-]*[A-Za-z0-9_-])+/?")
_ANY_MAC = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{12}(?![0-9A-Fa-f])", re.ASCII)

# What is odd about a path that is not plain; the first that is found is said.
_ODD_BYTES = (
    (re.compile(rb"%25", re.IGNORECASE), say("the path is percent-encoded twice")),
    (re.compile(rb"%2f", re.IGNORECASE), say("the path holds an encoded slash")),
    (re.compile(rb"%5c", re.IGNORECASE), say("the path holds an encoded backslash")),
    (re.compile(rb"%00"), say("the path holds an encoded NUL")),
    (re.compile(rb"%"), say("the path is percent-encoded, which no phone needs")),
    (re.compile(rb"\\"), say("the path holds a backslash")),
    (re.compile(rb";"), say("the path holds parameters after a semicolon")),
    (re.compile(rb"#"), say("the target holds a fragment")),
    (
        re.compile(rb"[\x00-\x20\x7f]"),
        say("the path holds a space or a control character"),
    ),
    (re.compile(rb"[\x80-\xff]"), say("the path holds bytes that are not ASCII")),
    (re.compile(rb"//"), say("the path holds an empty segment")),
    (re.compile(rb"/\.\.?(?:/|$)"), say("the path holds a '.' or '..' segment")),
    (re.compile(rb"\.(?:/|$)"), say("a name in the path ends with a dot")),
)


MAX_FOLDERS = 4
"""Folders before the file that are passed over; FusionPBX has two."""


def parse_target(raw_target: bytes, *, bases: Sequence[str] = ()) -> Resource:
    """Read the request target of a GET, as it stood in the request line.

    ``bases`` are the folders under which files are served besides the root, such as
    ``/prov``, each without a slash at its end; empty: any, up to ``MAX_FOLDERS`` deep.
    Never raises: what has no clear meaning is ``Nothing`` with AMBIGUOUS_REQUEST, what
    names no file is NOTHING_THERE, each with its detail.
    """
    # A phone asks for the same few files again and again. One-time tokens are not kept.
    if len(raw_target) <= _MAX_KEPT and b"/t/" not in raw_target.lower():
        return _kept(raw_target, tuple(bases))
    return _parse(raw_target, bases)


def _parse(raw_target: bytes, bases: Sequence[str]) -> Resource:
    text = _shown(raw_target)
    if len(raw_target) > MAX_TARGET:
        return _ambiguous(
            text,
            say("the target is longer than %(limit)s bytes", limit=MAX_TARGET),
        )
    raw_path, _, raw_query = raw_target.partition(b"?")
    if not _PLAIN_PATH.fullmatch(raw_path):
        return _ambiguous(text, _oddity(raw_path))
    path = raw_path.decode("ascii")
    if len({mac.upper() for mac in _ANY_MAC.findall(_without_certificate(path))}) > 1:
        return _ambiguous(text, say("the path holds two different MACs"))
    found = _read_path(path, raw_query, text)
    for depth in range(1, MAX_FOLDERS + 1):
        if not (isinstance(found, Nothing) and found.reason is Reason.NOTHING_THERE):
            return found
        cut = _cut_folders(path, depth)
        if cut is None:
            return found
        base, rest = cut
        inner = _read_path(rest, raw_query, text)
        if isinstance(inner, Nothing) and inner.reason is Reason.NOTHING_THERE:
            continue
        if bases and base not in bases:
            return _nothing(
                text,
                say(
                    "files are served under / and %(bases)s, and this is %(base)s: "
                    "rules.base_paths lists the folders",
                    bases=", ".join(bases),
                    base=base,
                ),
            )
        return inner
    return found


_MAX_KEPT = 128
"""Bytes of a target that is kept once it was read: some 600 bytes each."""
_kept = lru_cache(maxsize=4096)(_parse)


def _cut_folders(path: str, depth: int) -> tuple[str, str] | None:
    """The first ``depth`` folders and the rest; None where they are no mere folders."""
    parts = path.split("/")
    folders, rest = parts[1 : depth + 1], parts[depth + 1 :]
    if not rest or any(
        name.lower() in ("t", "certificates") or _ANY_MAC.search(name)
        for name in folders
    ):
        return None
    return "/" + "/".join(folders), "/" + "/".join(rest)


def _without_certificate(path: str) -> str:
    """The path without a fingerprint, which may hold 12 digits and is no MAC."""
    return re.sub(r"(?<=/certificates/)[0-9A-Fa-f]{64}(?=\.der$)", "", path)


def _read_path(path: str, raw_query: bytes, text: str) -> Resource:
    """What a path names that begins with the token's prefix or the file."""
    token = None
    if path[:3].lower() == "/t/":
        token, slash, rest = path[3:].partition("/")
        if path[1] != "t":
            return _ambiguous(text, say("the token prefix is /t/, in lower case"))
        if not slash or not is_token(token):
            return _nothing(
                text, say("a /t/ prefix without a whole token and a file name")
            )
        path = "/" + rest
    if found := _CERTIFICATE.fullmatch(path):
        if raw_query:
            return _ambiguous(text, say("a certificate is asked for with parameters"))
        mac_digits = found["mac"]
        whose = Mac(mac_digits.upper()) if mac_digits else None
        sha256 = found["sha256"].lower()
        return CertificateFile(text, token=token, sha256=sha256, mac=whose)
    named = _read_name(path, text)
    try:
        mac = _read_query(raw_query)
    except _OddQueryError as error:
        return _ambiguous(text, str(error))
    if mac is not None:
        named = _join(named, mac, path, text)
    return named if token is None else replace(named, token=token)


def _oddity(raw_path: bytes) -> str:
    """What is odd about a path that is not plain."""
    if not raw_path.startswith(b"/"):
        return say("the target is not a path: it starts without a slash")
    for pattern, detail in _ODD_BYTES:
        if pattern.search(raw_path):
            return detail
    return say("the path holds punctuation that no file name here has")


def _read_name(path: str, text: str) -> Resource:
    """What the path alone names."""
    folder = _FOLDER.fullmatch(path)
    name = folder.group(2) if folder else path[1:]
    for pattern, kind, vendors, shown in _CONVENTIONS:
        if not (found := pattern.fullmatch(name)):
            continue
        groups = found.groupdict()
        model = (groups.get("model") or "").upper() or None
        mac_digits = folder.group(1) if folder else groups.get("mac")
        mac = Mac(mac_digits.upper()) if mac_digits else None
        if kind is UploadFile and mac:
            return UploadFile(text, vendors, mac=mac)
        if kind is AbsentFile:
            return AbsentFile(text, vendors, mac=mac)
        if mac:
            # All in a phone's own folder is that phone's: /{mac}/snomD785.htm.
            return PhoneFile(text, vendors, mac=mac, model=model, pattern=shown)
        return CommonFile(text, vendors, model=model, pattern=shown)
    return _nothing(text, say("no phone asks for a file of this name"))


def _join(named: Resource, mac: Mac, path: str, text: str) -> Resource:
    """Join what the path names with what ``?mac=`` says."""
    if isinstance(named, PhoneFile | UploadFile | AbsentFile):
        if named.mac in (mac, None):
            return named
        return _ambiguous(
            text,
            say(
                "the path says %(path)s and the parameter %(mac)s",
                path=named.mac,
                mac=mac,
            ),
        )
    if _HOLDS_A_MAC_PARAMETER.fullmatch(path):
        return PhoneFile(text, SNOM_LIKE, mac=mac)
    if isinstance(named, CommonFile):
        # As /snomD785.htm?mac={mac} is written for scripts: whom it names decides.
        return PhoneFile(
            text, named.vendors, mac=mac, model=named.model, pattern=named.pattern
        )
    return named


class _OddQueryError(Exception):
    """What is odd about a query; never leaves this module."""


def _read_query(raw_query: bytes) -> Mac | None:
    """The MAC of ``?mac=``; other parameters mean nothing and are passed over."""
    if not raw_query:
        return None
    if not re.fullmatch(rb"[\x21-\x7e]*", raw_query) or b"#" in raw_query:
        raise _OddQueryError(say("the query holds bytes that belong in no query"))
    if b";" in raw_query:
        raise _OddQueryError(say("the query holds a semicolon"))
    macs = set()
    for pair in raw_query.decode("ascii").split("&"):
        key, _, value = pair.partition("=")
        if "%" in key or "+" in key:
            raise _OddQueryError(say("a parameter's name is percent-encoded"))
        if key.lower() != "mac":
            continue
        mac = Mac.from_bare(value)
        if mac is None:
            raise _OddQueryError(say("the parameter mac is not exactly 12 hex digits"))
        macs.add(mac)
    if len(macs) > 1:
        raise _OddQueryError(say("the query holds two different MACs"))
    return macs.pop() if macs else None


def _nothing(text: str, detail: str) -> Nothing:
    return Nothing(text, reason=Reason.NOTHING_THERE, detail=detail)


def _ambiguous(text: str, detail: str) -> Nothing:
    return Nothing(text, reason=Reason.AMBIGUOUS_REQUEST, detail=detail)


_MASKS = (
    (re.compile(r"(/+(?:t|%74|%54)(?:/|%2f)+)[^/?#]+", re.IGNORECASE), r"\1…"),
    # A token may stand anywhere in a mistyped URL; no file name has such a run.
    (re.compile(r"[A-Za-z0-9_]{24,}"), "…"),
    (re.compile(r"(?<=/)[A-Za-z0-9_-]{16,128}(?=[/?#]|$)"), "…"),
    (re.compile(r"\?(?!mac=[0-9A-Fa-f:-]{0,20}$).+", re.DOTALL), "?…"),
)
_MAX_SHOWN = 200


def _shown(raw_target: bytes) -> str:
    """The target for logs and pages: one short line, no token, no parameters."""
    text = raw_target[: 2 * MAX_TARGET].decode("ascii", "backslashreplace")
    if not text.isprintable():
        text = "".join(c if " " <= c <= "~" else f"\\x{ord(c):02x}" for c in text)
    prefix, *others = _MASKS
    text = mask_url(prefix[0].sub(prefix[1], text))
    if not _CERTIFICATE.search(text):  # whose name is as long as a token
        for pattern, mask in others:
            text = pattern.sub(mask, text)
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"
