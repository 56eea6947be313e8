"""802.1X: the phone proves itself to the network."""

from collections.abc import Mapping

from linekey.digits import digits_of
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


def _at_server(radius: str, secret_file: bytes) -> events.NetworkLoginWanted:
    host, mark, port = radius.rpartition(":")
    if not mark:
        host, port = radius, "1812"
    number = digits_of(port, 65536)
    if not host or number is None:
        raise InputError(f"not HOST:PORT: {radius!r}", hint="such as 127.0.0.1:1812")
    secret = secret_file.decode("utf-8", "replace").strip()
    return network_login(host.strip("[]"), number, secret)


def _in_form(form: Mapping[str, str]) -> events.NetworkLoginWanted:
    host, _, port = form.get("radius", "").strip().rpartition(":")
    number = digits_of(port, 99999)
    secret = form.get("secret", "")
    return network_login(host.strip("[]"), -1 if number is None else number, secret)


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
            _at_server,
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
    buttons=(Button("802.1x", lambda form, _: _in_form(form), admin=True, told=True),),
    describe=describe_network,
    offers=lambda state: {"has_8021x": is_offered(state)},
)
