"""The servers that linekey writes configurations for, and what each is made of."""

from dataclasses import dataclass, field

from linekey.errors import InputError
from linekey.export.account import Rights
from linekey.export.phone_book import BRANCH
from linekey.words import choice_hint


@dataclass(frozen=True, slots=True)
class Peer:
    """A foreign server that linekey can write the configuration of."""

    name: str
    title: str
    port: int
    """The port it listens on unless told."""
    summary: str
    files: tuple[tuple[str, str, str], ...]
    """(name, template, purpose)."""
    run: tuple[str, ...]
    forwards: bool = False
    """It can stand before a linekey server."""
    both: bool = False
    """It shows a phone the one of two certificates, RSA's and EC's, that it can use."""
    serves: bool = False
    """It can serve files itself."""
    folders: tuple[str, ...] = ()
    own: frozenset[str] = frozenset()
    """Files that are the operator's from then on."""
    secret: frozenset[str] = frozenset()
    """Files that hold secrets, or will."""
    fills: tuple[tuple[str, str], ...] = ()
    """Those of ``run`` that fill an empty folder, each with its name."""
    rights: Rights = field(default_factory=Rights)
    """What its account needs before it is first started."""
    may_go_without: bool = False
    """It can serve phones that show no certificate, by their password."""


_SLAPADD = "slapadd -f {folder}/slapd.conf -b dc=phonebook -l {folder}/phonebook.ldif"

PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer(
            "nginx",
            "nginx",
            443,
            "HTTPS proxy for linekey, or server of the phones' files",
            (
                ("nginx.conf", "nginx.conf.j2", "the complete configuration"),
                ("linekey-nginx.service", "nginx.service.j2", "the systemd unit"),
            ),
            ("nginx -t -c {folder}/nginx.conf", "nginx -c {folder}/nginx.conf"),
            forwards=True,
            both=True,
            serves=True,
            folders=("run",),
            rights=Rights(looks_into=("run",)),
        ),
        Peer(
            "haproxy",
            "HAProxy",
            443,
            "HTTPS proxy for linekey",
            (
                ("haproxy.cfg", "haproxy.cfg.j2", "the complete configuration"),
                ("linekey-haproxy.service", "haproxy.service.j2", "the systemd unit"),
            ),
            ("haproxy -c -f {folder}/haproxy.cfg", "haproxy -f {folder}/haproxy.cfg"),
            forwards=True,
            both=True,
        ),
        Peer(
            "apache",
            "Apache httpd",
            443,
            "HTTPS proxy for linekey, or server of the phones' files",
            (
                ("apache.conf", "apache.conf.j2", "the complete configuration"),
                ("linekey-apache.service", "apache.service.j2", "the systemd unit"),
            ),
            (
                "apache2 -t -f {folder}/apache.conf",
                "apache2 -f {folder}/apache.conf -DFOREGROUND",
            ),
            forwards=True,
            both=True,
            serves=True,
            folders=("run",),
            rights=Rights(looks_into=("run",)),
        ),
        Peer(
            "kamailio",
            "Kamailio",
            5061,
            "SIP over TLS: a registrar that knows which phone registers",
            (
                ("kamailio.cfg", "kamailio.cfg.j2", "routing and registrar"),
                ("tls.cfg", "kamailio-tls.cfg.j2", "TLS"),
                ("dbtext/version", "kamailio-version.j2", "versions of the tables"),
                ("dbtext/phones", "kamailio-phones.j2", "the active phones"),
                (
                    "dbtext/accounts",
                    "kamailio-accounts.j2",
                    "the registry's SIP accounts, each with its phone's MAC",
                ),
                (
                    "dbtext/subscriber",
                    "kamailio-subscriber.j2",
                    "SIP accounts of your own, each with its phone's MAC",
                ),
                (
                    "linekey-kamailio.service",
                    "kamailio.service.j2",
                    "the systemd unit",
                ),
            ),
            (
                "kamailio -c -f {folder}/kamailio.cfg",
                "kamailio -f {folder}/kamailio.cfg -Y {folder}/run -m 256 -M 32"
                " -x fm -X fm -DD -E -u {user} -g {group}",
            ),
            folders=("run",),
            own=frozenset({"dbtext/subscriber"}),
            secret=frozenset({"dbtext/accounts", "dbtext/subscriber"}),
            rights=Rights(
                owns=("run",), reads=("dbtext/accounts", "dbtext/subscriber"), key=True
            ),
            may_go_without=True,
        ),
        Peer(
            "slapd",
            "OpenLDAP slapd",
            636,
            "LDAPS: the phone book, only for phones",
            (
                ("slapd.conf", "slapd.conf.j2", "the complete configuration"),
                ("phonebook.ldif", "slapd-phonebook.ldif.j2", "the empty phone book"),
                (
                    "registry.ldif",
                    "slapd-registry.ldif.j2",
                    "the registry's phones: names and numbers",
                ),
                ("linekey-slapd.service", "slapd.service.j2", "the systemd unit"),
            ),
            (
                "slaptest -u -f {folder}/slapd.conf",
                _SLAPADD,
                "rm -f {folder}/registry/data.mdb {folder}/registry/lock.mdb",
                f"slapadd -q -f {{folder}}/slapd.conf -b {BRANCH}"
                " -l {folder}/registry.ldif",
                "chown -R {user}:{group} {folder}/run {folder}/data {folder}/registry",
                "slapd -u {user} -g {group} -f {folder}/slapd.conf"
                " -h ldaps://{listen}/ -d 0",
            ),
            folders=("run", "data", "registry"),
            own=frozenset({"phonebook.ldif"}),
            secret=frozenset({"registry.ldif"}),
            fills=((_SLAPADD, "data"),),
            # Its folders change hands when they are filled.
            rights=Rights(key=True, reads=("registry.ldif",)),
        ),
        Peer(
            "freeradius",
            "FreeRADIUS",
            1812,
            "802.1X: EAP-TLS with the phones' certificates",
            (
                ("radiusd.conf", "radiusd.conf.j2", "the complete configuration"),
                ("clients.conf", "radius-clients.conf.j2", "switches and secrets"),
                ("phones", "radius-phones.j2", "the phones that may log in"),
                (
                    "linekey-freeradius.service",
                    "freeradius.service.j2",
                    "the systemd unit",
                ),
            ),
            (
                "freeradius -C -X -d {folder}",
                "freeradius -f -d {folder}",
            ),
            folders=("run",),
            own=frozenset({"clients.conf"}),
            secret=frozenset({"clients.conf"}),
            rights=Rights(owns=("run",), reads=("clients.conf",), key=True),
        ),
    )
}
"""Every peer, by the name that ``linekey export`` takes."""


def find_peer(name: str) -> Peer:
    """Return a peer. Raises InputError, naming all."""
    try:
        return PEERS[name]
    except KeyError:
        raise InputError(
            f"not a server that linekey exports to: {name!r}",
            hint=choice_hint(name, PEERS),
        ) from None
