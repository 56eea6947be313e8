"""802.1X: the phone proves itself to the network."""

from linekey.endpoint import parse_host_port
from linekey.errors import InputError
from linekey.phone.typed import check_typed
from linekey.phone.urls import is_host
from linekey.phone.uses.network import events, login
from linekey.phone.uses.network.view import describe_network, is_offered
from linekey.phone.uses.use import Button, Parameter, Request, Use, Verb


def network_login(host: str, port: int, secret: str) -> events.NetworkLoginWanted:
    """Check what a login is asked with. Raises InputError."""
    if not is_host(host) or not 0 < port < 65536:
        raise InputError(
            f"no host and port of a RADIUS server: {host[:80]!r}, {port}",
            hint="write HOST:1812, or [ADDRESS]:1812 for IPv6",
        )
    check_typed("the RADIUS server's address", host)
    if not secret or not secret.isascii() or not secret.isprintable():
        raise InputError(
            "the RADIUS secret is empty or not printable ASCII",
            hint="give the file that holds what switch and server share",
        )
    return events.NetworkLoginWanted(host, port, secret)


def _at_server(radius: str, secret: str) -> events.NetworkLoginWanted:
    try:
        host, port = parse_host_port(radius, 1812)  # RFC 2865 §3
    except ValueError:
        raise InputError(
            f"not HOST:PORT: {radius[:80]!r}", hint="such as 127.0.0.1:1812"
        ) from None
    return network_login(host, port, secret)


NETWORK = Use(
    name="network",
    takes={
        events.NetworkCertificateUploaded: login.certificate_uploaded,
        events.NetworkLoginWanted: login.login_wanted,
        events.NetworkLoginEnded: login.login_ended,
    },
    errands=(events.LogIntoNetwork,),
    requests=(
        Request("upload-8021x", events.NetworkCertificateUploaded),
        Request(
            "dot1x",
            events.NetworkLoginWanted,
            lambda e: network_login(e.host, e.port, e.secret),
        ),
    ),
    verbs=(
        Verb(
            "dot1x",
            "Log the phone into the network by 802.1X, at a RADIUS server.\n\nThe "
            "phone's EAP settings, certificate and 802.1X tab are used; eapol_test "
            "plays the switch.",
            lambda radius, secret_file: _at_server(
                radius, secret_file.decode("utf-8", "replace").strip()
            ),
            (
                Parameter("radius", "RADIUS server.", "HOST:PORT", option="--radius"),
                Parameter(
                    "secret_file",
                    "What it shares with the switch.",
                    "FILE",
                    "file",
                    option="--secret-file",
                ),
            ),
            alone=True,
        ),
    ),
    buttons=(
        Button(
            "802.1x",
            lambda form, _: _at_server(form.get("radius", ""), form.get("secret", "")),
            admin=True,
            told=True,
        ),
    ),
    describe=describe_network,
    offers=lambda state: {"has_8021x": is_offered(state)},
)
