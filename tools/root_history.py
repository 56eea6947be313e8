"""Build the history of Mozilla's roots from the published releases of certifi.

    python tools/root_history.py FOLDER            releases that lie in FOLDER
    python tools/root_history.py --download FOLDER fetch them there with pip first

FOLDER holds certifi's wheels and source archives (``certifi-*.whl``, ``.tar.gz``).
``--download`` asks the pip of this Python, as it is configured, which releases there
are and fetches each; nothing here names an index.

What is written (``src/linekey/catalog/data/root_history.bin``) is one zlib stream of a
JSON document, whose form is told in ``linekey.catalog.roots``. The date of a release
is its version number's; releases without a date in their version are left out. Only
``cacert.pem`` counts: some releases of 2015 to 2017 also carry roots that Mozilla had
already removed, in a file of their own (``weak.pem``).
"""

import argparse
import base64
import json
import re
import subprocess
import sys
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from linekey.certs.certificate import Certificate
from linekey.certs.pem import parse_certificates

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "src/linekey/catalog/data/root_history.bin"
FORMAT = 1

_NAME = re.compile(
    r"certifi-(?P<version>[0-9.]+?)(?:-py[0-9.a-z]+-none-any\.whl|\.tar\.gz)"
)
_BLOCK = re.compile(
    rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL
)


@dataclass(frozen=True)
class Release:
    """One release: its version, the date in it, its roots in the order of the file."""

    version: str
    date: date
    roots: tuple[Certificate, ...]


def release_date(version: str) -> date | None:
    """Return the date that a version such as ``2015.04.28`` or ``14.05.14`` tells.

    A fourth number counts releases of one day. None for the versions before there
    were dates (``1.0.1``).
    """
    parts = [int(part) for part in version.split(".")]
    if len(parts) not in (3, 4):
        return None
    year, month, day = parts[:3]
    year = year + 2000 if 11 <= year < 100 else year
    if year < 2011:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None


def bundle_bytes(path: Path) -> bytes:
    """Return ``cacert.pem`` from a wheel or a source archive."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as archive:
            return archive.read("certifi/cacert.pem")
    with tarfile.open(path) as archive:
        for member in archive:
            if member.name.endswith("/certifi/cacert.pem"):
                stream = archive.extractfile(member)
                assert stream is not None
                return stream.read()
    raise SystemExit(f"error: no cacert.pem in {path.name}")


def read_release(path: Path) -> Release | None:
    """Read one archive; None when its version tells no date."""
    match = _NAME.fullmatch(path.name)
    if not match:
        raise SystemExit(f"error: not an archive of certifi: {path.name}")
    when = release_date(match["version"])
    if when is None:
        return None
    blocks = _BLOCK.findall(bundle_bytes(path))
    roots = [parse_certificates(block)[0] for block in blocks]
    return Release(match["version"], when, tuple(dict.fromkeys(roots)))


def read_releases(folder: Path) -> list[Release]:
    """Read every archive in ``folder``, oldest first; one release a day, the last."""
    archives = sorted([*folder.glob("certifi-*.whl"), *folder.glob("certifi-*.tar.gz")])
    by_date: dict[date, Release] = {}
    for release in filter(None, map(read_release, archives)):
        other = by_date.get(release.date)
        if other is None or _order(other.version) < _order(release.version):
            by_date[release.date] = release
    return [by_date[when] for when in sorted(by_date)]


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def history(releases: list[Release]) -> dict[str, object]:
    """Return the document: releases, and for each root its spans of releases.

    A span ``[first, last]`` holds indices into ``releases``; a root that left and came
    back has two.
    """
    spans: dict[Certificate, list[list[int]]] = {}
    for index, release in enumerate(releases):
        for root in release.roots:
            known = spans.setdefault(root, [])
            if known and known[-1][1] == index - 1:
                known[-1][1] = index
            else:
                known.append([index, index])
    return {
        "format": FORMAT,
        "source": "cacert.pem of the published releases of certifi (Mozilla's list)",
        "releases": [[r.version, r.date.isoformat()] for r in releases],
        "roots": [
            {"der": base64.b64encode(root.der).decode(), "spans": spans[root]}
            for root in sorted(spans, key=lambda root: (spans[root][0], root.sha256))
        ],
    }


def pack(document: dict[str, object]) -> bytes:
    """Compress a document, the same bytes each time."""
    text = json.dumps(document, separators=(",", ":"), sort_keys=True)
    return zlib.compress(text.encode(), 9)


def download(folder: Path) -> None:
    """Fetch every dated release into ``folder`` with pip, one after the other."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    listing = subprocess.run(
        [*pip, "index", "versions", "certifi"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    versions = re.search(r"Available versions: (.+)", listing)
    if not versions:
        raise SystemExit("error: pip tells no versions of certifi")
    folder.mkdir(parents=True, exist_ok=True)
    for version in versions[1].split(", "):
        if release_date(version) is None:
            continue
        wanted = ["download", "--quiet", "--no-deps", "--dest", str(folder)]
        subprocess.run([*pip, *wanted, f"certifi=={version}"], check=True)
        print(f"fetched certifi {version}")


def main() -> None:
    """Build the data file and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--download", action="store_true")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    if options.download:
        download(options.folder)
    releases = read_releases(options.folder)
    if not releases:
        raise SystemExit(f"error: no dated release of certifi in {options.folder}")
    document = history(releases)
    data = pack(document)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_bytes(data)
    roots = document["roots"]
    assert isinstance(roots, list)
    print(
        f"{options.output}: {len(roots)} roots in {len(releases)} releases,"
        f" {releases[0].date} to {releases[-1].date}, {len(data)} bytes"
    )


if __name__ == "__main__":
    main()
