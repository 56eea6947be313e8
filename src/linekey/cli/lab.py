"""``linekey lab``: certificates of the lab vendor, for trying a server by hand."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from linekey.catalog.models import Generation
from linekey.catalog.vendors import LAB_PREFIX
from linekey.cli.on_use import on_use
from linekey.cli.opening import JsonOption, StateOption, make_app, with_state
from linekey.cli.output import emit_json, note, say
from linekey.errors import InputError
from linekey.mac import Mac, parse_mac
from linekey.store.paths import StateDir

with on_use():
    from linekey.certs.pem import private_key_to_pem
    from linekey.lab.authority import LabAuthority
    from linekey.lab.files import chain_pem, make_folder, write_file
    from linekey.lab.maker_ca import SHAPES, MakerShape
    from linekey.lab.servers.programs import LEGACY_OPENSSL
    from linekey.phone.identity import DeviceIdentity
    from linekey.phone.patch import make_patch

app = make_app(
    """Make lab certificates, built like a vendor's, for tests without a real phone."""
)

# A model of each generation, for the example that is shown (SNOM-TLS, model table).
_EXAMPLE_MODEL = {Generation.SHA1: "D715", Generation.SHA256: "D785"}
# And of each other maker, with its own file's name.
_EXAMPLES = {
    "yealink": ("T46U", "{mac}.cfg"),
    "poly": ("VVX450", "{mac}.cfg"),
    "grandstream": ("GRP2614", "cfg{mac}.xml"),
    "cisco": ("CP-8841-3PCC", "{mac}.xml"),
}


@app.command()
def identity(
    mac: Annotated[str, typer.Argument(metavar="MAC", help="The phone's MAC address.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the files.")
    ],
    generation: Annotated[
        Generation | None,
        typer.Option(
            help="sha1: RSA-1024, SHA-1; sha256: RSA-2048, SHA-256, the default. "
            "Of Snom's shape only."
        ),
    ] = None,
    maker: Annotated[
        str,
        typer.Option(
            metavar="MAKER",
            help="Whose certificates it is shaped like: snom, yealink, yealink-old, "
            "poly, grandstream, cisco or cisco-spa.",
        ),
    ] = "snom",
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite existing files.")
    ] = False,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a lab certificate and key for a MAC address: `MAC.pem` and `MAC.key`.

    For SHA-1 it also writes `MAC.openssl.cnf`, which today's curl and openssl need to
    use such a certificate. The same MAC always gets the same certificate. For example:
    `linekey lab identity 000413AABBCC --out .`, or with `--maker yealink` one that is
    shaped like that maker's: its authorities, their kinds of key, where the MAC is.
    """
    address = parse_mac(mac)
    shape = _shape(maker, generation)
    lab = LabAuthority.open(StateDir.open(state).lab)
    if shape is None:
        generation = generation or Generation.SHA256
        chain, key = lab.device_identity(address, generation)
        is_old = generation is Generation.SHA1
    else:
        own = None if shape.shared_value else address
        chain, key = lab.maker_identity(shape, own)
        is_old = shape.leaf_hash == "sha1"
    make_folder(out)
    certificate_path = out / f"{address}.pem"
    key_path = out / f"{address}.key"
    # curl reads the certificate before it heeds --ciphers DEFAULT@SECLEVEL=0.
    openssl_path = None
    if is_old:
        openssl_path = out / f"{address}.openssl.cnf"
    # All or none: never a new key beside an old certificate.
    if not force:
        _refuse_existing(certificate_path, key_path, *filter(None, [openssl_path]))
    write_file(key_path, private_key_to_pem(key), private=True, force=force)
    write_file(certificate_path, chain_pem(chain), private=False, force=force)
    if openssl_path is not None:
        text = LEGACY_OPENSSL.encode("ascii")
        write_file(openssl_path, text, private=False, force=force)
    curl = _curl_line(lab, _file_of(shape, generation, address), certificate_path)
    if openssl_path is not None:
        curl = f"OPENSSL_CONF={shlex.quote(str(openssl_path))} {curl}"
    if as_json:
        emit_json(
            {
                "mac": str(address),
                "maker": maker.strip().lower(),
                "generation": generation,
                "certificate": certificate_path,
                "key": key_path,
                "openssl_conf": openssl_path,
                "server_ca": lab.server_root_path,
                "sha256": chain[0].sha256,
                "authorities": _authorities(lab, shape, generation),
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
        "and the intermediates."
    )
    note(f"{key_path.name} is its private key (mode 0600).")
    note(f"the server's own CA is {lab.server_root_path}.")
    if shape is not None:
        files = shlex.join(str(path) for path in _authorities(lab, shape, generation))
        words = f"linekey trust add {files}"
        note(f"trust its authorities: {with_state(words, state)}")
        note("linekey up trusts them by itself when it starts the next time.")
        if shape.shared_value:
            note("it is one for all phones of its kind: they need a second factor")
    model = _example_model(shape, generation)
    vendor = "" if shape is None else f" --vendor {LAB_PREFIX}{shape.maker}"
    words = f"linekey device add {address} --model {model}{vendor}"
    note(f"next: {with_state(words, state)}")
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
        "makers": {
            shape.id: _authorities(lab, shape, None) for shape in lab.made_makers()
        },
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
            (f"{shape.id} authority", path)
            for shape in lab.made_makers()
            for path in _authorities(lab, shape, None)
        ),
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


def _shape(maker: str, generation: Generation | None) -> MakerShape | None:
    """The shape that was asked for; None: Snom's. Raises InputError."""
    name = maker.strip().lower()
    if name == "snom":
        return None
    if name not in SHAPES:
        raise InputError(
            f"no lab certificates are shaped like those of {maker[:40]!r}",
            hint=f"one of snom, {', '.join(SHAPES)}",
        )
    if generation is not None:
        raise InputError(
            "--generation is of Snom's certificates",
            hint="leave it out; yealink-old and cisco-spa are older shapes",
        )
    return SHAPES[name]


def _authorities(
    lab: LabAuthority, shape: MakerShape | None, generation: Generation | None
) -> list[Path]:
    """The files of the authorities above it, the root first."""
    if shape is None:
        return list(lab.vendor_paths()[generation or Generation.SHA256])
    return [
        lab.maker_path(shape, place).with_suffix(".pem")
        for place in range(len(shape.authorities))
    ]


def _example_model(shape: MakerShape | None, generation: Generation | None) -> str:
    if shape is None:
        return _EXAMPLE_MODEL[generation or Generation.SHA256]
    return _EXAMPLES[shape.maker][0]


def _file_of(shape: MakerShape | None, generation: Generation | None, mac: Mac) -> str:
    """The name of this phone's own file."""
    if shape is None:
        return f"snom{_example_model(shape, generation)}-{mac}.htm"
    return _EXAMPLES[shape.maker][1].format(mac=mac.digits.lower())


def _curl_line(lab: LabAuthority, file: str, certificate_path: Path) -> str:
    """What fetches this phone's file, ready to paste."""
    url = (lab.server_url() or "https://localhost:PORT").rstrip("/")
    words = [
        "curl",
        *("--cacert", str(lab.server_root_path)),
        *("--cert", str(certificate_path)),
        *("--key", str(certificate_path.with_suffix(".key"))),
    ]
    return shlex.join([*words, f"{url}/{file}"])
