"""``linekey lab``: certificates of the lab vendor, for trying a server by hand."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from linekey.catalog.models import Generation
from linekey.cli.on_use import on_use
from linekey.cli.opening import JsonOption, StateOption, make_app, with_state
from linekey.cli.output import emit_json, note, say
from linekey.errors import InputError
from linekey.mac import parse_mac
from linekey.store.paths import StateDir

with on_use():
    from linekey.certs.pem import private_key_to_pem
    from linekey.lab.authority import LabAuthority
    from linekey.lab.files import chain_pem, make_folder, write_file
    from linekey.lab.servers.programs import LEGACY_OPENSSL
    from linekey.phone.identity import DeviceIdentity
    from linekey.phone.patch import make_patch

app = make_app(
    """Make lab certificates, built like a vendor's, for tests without a real phone."""
)

# A model of each generation, for the example that is shown (SNOM-TLS, model table).
_EXAMPLE_MODEL = {Generation.SHA1: "D715", Generation.SHA256: "D785"}


@app.command()
def identity(
    mac: Annotated[str, typer.Argument(metavar="MAC", help="The phone's MAC address.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the files.")
    ],
    generation: Annotated[
        Generation,
        typer.Option(help="sha1: RSA-1024 and SHA-1; sha256: RSA-2048 and SHA-256."),
    ] = Generation.SHA256,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite existing files.")
    ] = False,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a lab certificate and key for a MAC address: `MAC.pem` and `MAC.key`.

    For SHA-1 it also writes `MAC.openssl.cnf`, which today's curl and openssl need to
    use such a certificate. The same MAC always gets the same certificate. For example:
    `linekey lab identity 000413AABBCC --out .`.
    """
    address = parse_mac(mac)
    lab = LabAuthority.open(StateDir.open(state).lab)
    chain, key = lab.device_identity(address, generation)
    make_folder(out)
    certificate_path = out / f"{address}.pem"
    key_path = out / f"{address}.key"
    # curl reads the certificate before it heeds --ciphers DEFAULT@SECLEVEL=0.
    openssl_path = None
    if generation is Generation.SHA1:
        openssl_path = out / f"{address}.openssl.cnf"
    # All or none: never a new key beside an old certificate.
    if not force:
        _refuse_existing(certificate_path, key_path, *filter(None, [openssl_path]))
    write_file(key_path, private_key_to_pem(key), private=True, force=force)
    write_file(certificate_path, chain_pem(chain), private=False, force=force)
    if openssl_path is not None:
        text = LEGACY_OPENSSL.encode("ascii")
        write_file(openssl_path, text, private=False, force=force)
    curl = _curl_line(lab, generation, certificate_path, key_path)
    if openssl_path is not None:
        curl = f"OPENSSL_CONF={shlex.quote(str(openssl_path))} {curl}"
    if as_json:
        emit_json(
            {
                "mac": str(address),
                "generation": generation,
                "certificate": certificate_path,
                "key": key_path,
                "openssl_conf": openssl_path,
                "server_ca": lab.server_root_path,
                "sha256": chain[0].sha256,
                "curl": curl,
            }
        )
        return
    say(f"certificate  {certificate_path}")
    say(f"key          {key_path}")
    if openssl_path is not None:
        say(f"openssl.cnf  {openssl_path}")
    note(
        f"{certificate_path.name} is the client certificate: the phone's certificate "
        "and the intermediate."
    )
    note(f"{key_path.name} is its private key (mode 0600).")
    note(f"the server's own CA is {lab.server_root_path}.")
    model = _EXAMPLE_MODEL[generation]
    note(f"next: {with_state(f'linekey device add {address} --model {model}', state)}")
    note(f"then: {curl}")
    if lab.server_url() is None:
        note("linekey up has not run here yet; it prints the server's URL.")


@app.command()
def patch(
    mac: Annotated[str, typer.Argument(metavar="MAC", help="The phone's MAC address.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the file.")
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite existing files.")
    ] = False,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a firmware patch that gives a virtual phone a SHA-2 certificate.

    A vendor makes such a patch for each SHA-1 phone on request. This one is in
    linekey's own format, only for virtual phones, and contains a private key. For
    example: `linekey lab patch 000413AABBCC --out .`, then `linekey phone patch`.
    """
    address = parse_mac(mac)
    lab = LabAuthority.open(StateDir.open(state).lab)
    chain, key = lab.device_identity(address, Generation.SHA256)
    path = out / f"{address}.patch"
    make_folder(out)
    if not force:
        _refuse_existing(path)
    data = make_patch(address, DeviceIdentity(chain, private_key_to_pem(key)))
    write_file(path, data, private=True, force=force)
    if as_json:
        emit_json({"mac": str(address), "patch": path, "sha256": chain[0].sha256})
        return
    say(f"patch  {path}")
    note(
        f"it is only for the phone {address}, and contains its private key (mode 0600)."
    )
    words = f"linekey phone patch {address} {shlex.quote(str(path))}"
    note(f"next: {with_state(words, state)}")


@app.command()
def show(state: StateOption = None, as_json: JsonOption = False) -> None:
    """Show where the lab's certificates are, and the server URL of the last run."""
    lab = LabAuthority.open(StateDir.open(state, create=False).lab, create=False)
    paths = lab.vendor_paths()
    document = {
        "folder": lab.folder,
        "server_ca": lab.server_root_path,
        "server_url": lab.server_url(),
        "api_url": lab.api_url(),
        "console_url": lab.console_url(),
        "vendor_roots": [root for root, _ in paths.values()],
        "vendor_intermediates": [intermediate for _, intermediate in paths.values()],
        "devices": [
            {
                "mac": str(mac),
                "generation": generation,
                "certificate": lab.device_path(mac, generation).with_suffix(".pem"),
            }
            for mac, generation in lab.devices()
        ],
    }
    if as_json:
        emit_json(document)
        return
    rows = [
        ("folder", lab.folder),
        ("server CA", lab.server_root_path),
        ("server URL", lab.server_url() or "not known: linekey up has not run here"),
        ("API", lab.api_url() or "not known: linekey up has not run here"),
        (
            "console",
            lab.console_url() or "not known: linekey up has not run here",
        ),
        *(("vendor root", root) for root, _ in paths.values()),
        *(("vendor intermediate", i) for _, i in paths.values()),
        *(
            (
                f"phone {mac} {generation}",
                lab.device_path(mac, generation).with_suffix(".pem"),
            )
            for mac, generation in lab.devices()
        ),
    ]
    width = max(len(label) for label, _ in rows)
    for label, value in rows:
        say(f"{label:{width}}  {value}")


def _refuse_existing(*paths: Path) -> None:
    for path in paths:
        if path.exists():
            raise InputError(
                f"{str(path)!r} exists already",
                hint="give another folder, or --force to overwrite it",
            )


def _curl_line(
    lab: LabAuthority, generation: Generation, certificate_path: Path, key_path: Path
) -> str:
    """What fetches this phone's file, ready to paste."""
    url = (lab.server_url() or "https://localhost:PORT").rstrip("/")
    model, mac = _EXAMPLE_MODEL[generation], key_path.stem
    words = [
        "curl",
        *("--cacert", str(lab.server_root_path)),
        *("--cert", str(certificate_path)),
        *("--key", str(key_path)),
    ]
    return shlex.join([*words, f"{url}/snom{model}-{mac}.htm"])
