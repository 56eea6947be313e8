"""FreeRADIUS from exported files, with one switch: the one that eapol_test plays."""

from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from tests.conftest import peer_path
from tests.live.conftest import Place, Ran
from tests.live.peers import Peer, bytes_of, certificates_in, exported_peer

from linekey.catalog.models import Generation
from linekey.certs.build import issue, new_key
from linekey.certs.dn import Name
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.mac import Mac
from linekey.phone.uses.network.ieee8021x import EapMethod, supplicant
from linekey.tls.suites import by_name
from linekey.tls.versions import Version

SECRET = "switch-geheim"
SWITCHES = "".join(
    f"""
client {name} {{
    ipaddr = {address}
    secret = {SECRET}
    require_message_authenticator = yes
}}
"""
    for name, address in (("floor1", "127.0.0.1"), ("floor2", "::1"))
)


def radius(place: Place, **options: Any) -> AbstractAsyncContextManager[Peer]:
    """Run it; ``options`` as of ``exported_peer``."""
    return exported_peer(
        place, "freeradius", append={"clients.conf": SWITCHES}, **options
    )


async def log_in(
    place: Place,
    peer: Peer,
    mac: Mac,
    identity: tuple[str, str],
    versions: tuple[Version, ...] = (Version.TLS1_2,),
    suites: tuple[str, ...] = (),
    called: str = "",
) -> Ran:
    """One 802.1X log-in of the phone ``mac`` with this certificate.

    ``suites`` by their OpenSSL names, best first; ``called``: the EAP identity, where
    it is not the MAC.
    """
    folder = place.folder / f"supplicant-{mac}"
    folder.mkdir(exist_ok=True)
    made = supplicant(
        EapMethod.TLS,
        mac,
        str(folder),
        chain=certificates_in(identity[0]),
        key_pem=bytes_of(identity[1]),
        authorities=(place.lab.server_root(),),
        versions=versions,
        suites=[by_name(name).number for name in suites],
    )
    for name, data in made.files.items():
        identity_line = f'identity="{called or mac}"'.encode()
        told = data.replace(f'identity="{mac}"'.encode(), identity_line)
        (folder / name).write_bytes(told)
    program = peer_path("eapol_test")
    assert program is not None
    return await place.run(
        program, "-c", str(folder / "eap.conf"), "-a", peer.host, "-p", str(peer.port),
        "-s", SECRET, "-t", "8", "-M", "00:04:13:AA:BB:CC",
    )  # fmt: skip


def phone_identity(
    place: Place, folder: Path, cn: str, signed: str = "sha256"
) -> tuple[str, str]:
    """RSA-2048, of the lab's SHA-2 authority, with this CN; its certificate and key."""
    key = new_key("rsa", 2048)
    _, issuer = place.lab.vendors[Generation.SHA256]
    above = issuer.certificate
    leaf = issue(
        Name.build([("CN", cn)]), key, issuer, serial=4711,
        not_before=above.not_before, not_after=above.not_after, hash=signed, ca=False,
    )  # fmt: skip
    path = folder / f"{cn}-{signed}"
    path.with_suffix(".pem").write_text(to_pem(leaf) + to_pem(above))
    path.with_suffix(".key").write_bytes(private_key_to_pem(key))
    return str(path.with_suffix(".pem")), str(path.with_suffix(".key"))


def is_in(got: Ran) -> bool:
    """Whether the switch was told to open the port."""
    return got.code == 0 and got.out.rstrip().endswith("SUCCESS")


async def refused(peer: Peer, login: Awaitable[Ran], reason: str) -> None:
    """Await a log-in that is to fail, and for this reason in the server's log.

    To be called where the same peer has let a phone in, or lets one in after it.
    """
    before = len(peer.log())
    got = await login
    assert not is_in(got), got.out[-3000:]
    assert got.out.rstrip().endswith("FAILURE"), got.out[-3000:]
    assert reason in peer.log()[before:], peer.log()[before:]
