"""From a request to the files of one peer, with what to run next.

``PEERS`` is the table of peers; each file of a peer is a template of this package, or
made here (the CA bundle, Diffie-Hellman parameters). Every configuration uses absolute
paths below ``Request.folder``, so it runs from there without being touched.

Rule: a peer's MAC rule reads the subject by attribute, or a whole DN by an anchored
grammar in which a value cannot pass for another attribute; never a piece of a DN.
"""

from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from jinja2 import Environment, StrictUndefined

from linekey.catalog.vendors import MacPlace
from linekey.certs.certificate import Certificate
from linekey.certs.pem import to_pem
from linekey.endpoint import is_loopback
from linekey.errors import InputError
from linekey.export import path_rule
from linekey.export.account import DEBIAN, Account
from linekey.export.active import apache_map, nginx_map
from linekey.export.gnutls import priority_string
from linekey.export.needs import Needs
from linekey.export.peers import Peer
from linekey.export.phone_book import BRANCH
from linekey.export.request import ClientCertificates, Endpoint, Request, UnixSocket
from linekey.export.signature_rule import signature_patterns
from linekey.provisioning.ca_rules import prospect, upwards
from linekey.tls.ffdhe import ffdhe2048_pem
from linekey.tls.versions import Version

MARK = "Made by `linekey export"
"""In the first lines of every file that is written anew at each export."""
BUNDLE = "phone-authorities.pem"
"""Name of the CA bundle in every export."""

ACTIVE = "active-phones.map"
"""Name of the list of phones, where a peer serves files itself."""


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file: its path below the folder, its text, and what it is for."""

    name: str
    text: str
    purpose: str
    operators: bool = False
    """Whether it is only a start that the operator goes on with: never overwritten."""
    secret: bool = False
    """Whether it holds secrets, or will: for its owner and one group."""


@dataclass(frozen=True, slots=True)
class Export:
    """A peer's whole configuration."""

    peer: str
    files: tuple[ExportFile, ...]
    folders: tuple[str, ...]
    """Empty folders, below the folder, that the peer needs."""
    run: tuple[str, ...]
    """Commands to try it with: check the configuration first, then run it."""
    notes: tuple[str, ...]
    """What the operator must know: assumptions, phones that are not served."""
    fills: Mapping[str, str] = field(default_factory=dict)
    """Those of ``run`` that fill an empty folder, with its name: not for a full one."""
    account: Account | None = None
    """As whom it runs: the server's key must be readable for this group."""
    prepare: tuple[str, ...] = ()
    """Commands for root, once, before ``run``: who owns and may read what."""
    reads_key: bool = False
    """Whether ``account`` must be able to read the server's key."""


def export(peer: Peer, request: Request) -> Export:
    """Write the configuration of ``peer``.

    Raises InputError for what this peer cannot do, and if no CA is trusted.
    """
    check_trust(request.authorities)
    check_options(
        peer,
        files=request.files is not None,
        backend=request.backend is not None,
        client_certificates=request.client_certificates,
    )
    authorities, notes = _authorities(peer, request)
    values = _values(peer, request)
    files = [
        ExportFile(
            name,
            render(template, values),
            purpose,
            operators=name in peer.own,
            secret=name in peer.secret,
        )
        for name, template, purpose in peer.files
    ]
    files.append(
        ExportFile(
            BUNDLE,
            f"# {MARK} {peer.name}`.\n{_bundle(authorities)}",
            "the vendor CAs that vouch for phones",
        )
    )
    if request.files is not None:
        files.append(_active_file(peer, request))
    if values["dh_file"]:
        text = f"# {MARK} {peer.name}`.\n{ffdhe2048_pem()}"
        files.append(ExportFile("dh.pem", text, "ffdhe2048 of RFC 7919"))
    words = {
        "folder": request.folder,
        "listen": f"{request.listen.bracketed or '0.0.0.0'}:{request.listen.port}",  # noqa: S104 - printed
    }
    account = request.account or DEBIAN.get(peer.name)
    if account is not None:
        words |= {"user": account.user, "group": account.group}
    run = [line.format_map(words) for line in peer.run]
    unserved = [
        f"not served: {_listed(who.phones)}: {who.reason}"
        for who in request.needs.unserved
    ]
    return Export(
        peer.name,
        tuple(files),
        peer.folders,
        (*_links(peer, request), *run),
        (
            *unserved,
            *request.needs.notes,
            *request.account_notes,
            *notes,
            *_backend_notes(request),
        ),
        {line.format_map(words): folder for line, folder in peer.fills},
        account,
        () if account is None else peer.rights.preparation(account, request.folder),
        peer.rights.key,
    )


def _active_file(peer: Peer, request: Request) -> ExportFile:
    """The phones that may have files, in the form of this peer's maps."""
    write = {"nginx": nginx_map, "apache": apache_map}[peer.name]
    return ExportFile(
        ACTIVE,
        f"# {MARK} {peer.name}`.\n{write(request.phones)}",
        "the phones that are served; export again when one is added or revoked",
    )


def _backend_notes(request: Request) -> tuple[str, ...]:
    """Who else than the proxy could speak to linekey."""
    backend = request.backend
    if not isinstance(backend, Endpoint) or not is_loopback(backend.host):
        return ()
    return (
        f"every user of this machine can connect to {backend.text} and pretend to be "
        "any phone; use --backend unix:PATH, unless only root, linekey and the proxy "
        "run programs on this machine",
    )


def _listed(names: tuple[str, ...], limit: int = 8) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def check_trust(authorities: Sized) -> None:
    """Refuse an export by which nobody gets in. Raises InputError."""
    if not authorities:
        raise InputError(
            "no vendor CA is trusted, so every phone would be refused",
            hint="linekey trust add FILE, with the vendor's root and intermediates",
        )


def check_options(
    peer: Peer,
    *,
    files: bool,
    backend: bool,
    client_certificates: ClientCertificates,
) -> None:
    """Refuse what this peer cannot do, whatever phones there are. ``files`` and
    ``backend``: whether there is one. Raises InputError."""
    if files and not peer.serves:
        raise InputError(
            f"{peer.title} serves no files",
            hint="nginx and apache do; leave out --files",
        )
    if client_certificates == "optional" and not peer.may_go_without:
        raise InputError(
            f"{peer.title} accepts no phone without a certificate",
            hint="kamailio accepts them, by SIP password; or leave out "
            "--client-certificates",
        )
    if peer.forwards and not files and not backend:
        raise InputError(
            f"{peer.title} needs a backend",
            hint="give --backend unix:PATH, where linekey serve --behind-proxy listens",
        )


def _authorities(
    peer: Peer, request: Request
) -> tuple[tuple[Certificate, ...], list[str]]:
    """Which CAs the peer may trust: with a MAC rule of its own, only those of vendors
    that put the MAC into the CN, since that is what the rule reads.
    """
    reads_cn = request.files is not None or peer.name in ("kamailio", "freeradius")
    if not reads_cn:
        return request.authorities, []
    reads = {c: _why_not_cn(c, request) for c in request.authorities}
    kept = tuple(c for c, why in reads.items() if not why)
    if not kept:
        raise InputError(
            "no trusted vendor puts the MAC into the CN, where this server reads it",
            hint="let nginx, haproxy or apache forward to linekey serve instead; "
            "linekey trust list shows where each CA puts the MAC",
        )
    notes = [
        f"left out of the bundle, {why}: {c.label}" for c, why in reads.items() if why
    ]
    return kept, notes


def _why_not_cn(authority: Certificate, request: Request) -> str:
    """Why a peer that reads the CN must not trust this authority; empty: it may.

    What stands in the bundle vouches for everything below it, so an authority goes if
    one that stands under it in the list has its phones' MAC elsewhere.
    """
    trusted = request.authorities
    phones = prospect(authority, trusted, request.rules)
    if phones.rule is None:
        return f"since its phones are refused ({phones.problem})"
    if phones.rule.mac_in is not MacPlace.CN:
        return "since its phones' MAC is not in the CN"
    for other in trusted:
        below = prospect(other, trusted, request.rules).rule
        if (
            below is not None
            and below.mac_in is not MacPlace.CN
            and authority in upwards(other, trusted)
        ):
            return f"since {other.label} below it has phones without a MAC in the CN"
    return ""


def _values(peer: Peer, request: Request) -> dict[str, object]:
    needs = request.needs
    return {
        "mark": MARK,
        "peer": peer.name,
        "folders": peer.folders,
        "request": request,
        "optional": request.client_certificates == "optional",
        "account": request.account or DEBIAN.get(peer.name),
        "needs": needs,
        "rule": path_rule,
        "active": f"{request.folder}/{ACTIVE}",
        "active_lines": sum(len(phone.generations) for phone in request.phones),
        "signatures": signature_patterns(),
        "socket": (
            request.backend.path if isinstance(request.backend, UnixSocket) else ""
        ),
        "folder": request.folder,
        "bundle": f"{request.folder}/{BUNDLE}",
        "branch": BRANCH,
        "dh_file": (
            f"{request.folder}/dh.pem" if needs.dhe and peer.name in _DH_FILES else ""
        ),
        "ciphers": _ciphers(needs),
        "ciphers_of": _ciphers,
        "tls13_ciphers": ":".join(needs.tls13_suites),
        "gnutls_priority": priority_string(needs),
        "key_by_stem": _key_by_stem(request),
        "Version": Version,
        "wire_minor": int(needs.min_version) & 0xFF,
        "dotted": lambda v: {1: "1.0", 2: "1.1", 3: "1.2", 4: "1.3"}[int(v) & 0xFF],
    }


def _ciphers(needs: Needs) -> str:
    """OpenSSL's cipher list."""
    return ":".join((*needs.suites, "@SECLEVEL=0") if needs.level_0 else needs.suites)


_DH_FILES = frozenset({"nginx", "freeradius", "slapd"})
"""Peers that do DHE only with parameters from a file; the others have their own."""


def _key_by_stem(request: Request) -> bool:
    """Whether HAProxy finds each ``foo.key`` by its ``foo.crt``."""
    return all(
        certificate.endswith(".crt")
        and key == f"{certificate.removesuffix('.crt')}.key"
        for certificate, key in request.pairs
    )


def _links(peer: Peer, request: Request) -> tuple[str, ...]:
    """HAProxy finds a key by its name only: what to link where it is not so."""
    if peer.name != "haproxy" or _key_by_stem(request):
        return ()
    return tuple(
        f"ln -s {key} {certificate}.key"
        for certificate, key in request.pairs
        if key not in (f"{certificate}.key", certificate)
    )


def _bundle(authorities: tuple[Certificate, ...]) -> str:
    return "".join(
        f"# {_printable(c.label)}\n# SHA-256 {c.sha256}\n{to_pem(c)}"
        for c in authorities
    )


def _printable(text: str) -> str:
    """One line of ASCII: a bundle's comment must not end before it ends."""
    return "".join(c if " " <= c <= "~" else "?" for c in text).replace("-----", "---")


@cache
def _environment() -> Environment:
    def load(name: str) -> str:
        folder = resources.files("linekey.export").joinpath("templates")
        return folder.joinpath(name).read_text(encoding="utf-8")

    from jinja2 import FunctionLoader

    environment = Environment(
        loader=FunctionLoader(load),
        autoescape=False,  # noqa: S701 - no HTML; values are of one meaning (request)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    wrap: Callable[[str], str] = _as_comment
    environment.filters["as_comment"] = wrap
    return environment


def _as_comment(text: str, mark: str = "#", width: int = 78) -> str:
    """``text`` as comment lines, plain ASCII."""
    words = _printable(text).split()
    lines, line = [], mark
    for word in words:
        if len(line) + 1 + len(word) > width and line != mark:
            lines.append(line)
            line = mark + "  "
        line += " " + word
    return "\n".join([*lines, line])


def render(template: str, values: dict[str, object]) -> str:
    """Fill one of this package's templates in."""
    return _environment().get_template(template).render(values)
