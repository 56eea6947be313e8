"""Files of certificates that are named on the command line.

Rule: an error says which file it speaks of; of a private key nothing is shown.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from linekey.cli.on_use import on_use
from linekey.cli.opening import read_file
from linekey.errors import CertificateError

with on_use():
    from linekey.certs.certificate import Certificate
    from linekey.certs.pem import parse_certificates


@contextmanager
def in_file(path: Path) -> Iterator[None]:
    """Put the file's name before what is wrong with the certificates in it."""
    try:
        yield
    except CertificateError as error:
        raise CertificateError(f"{path}: {error.message}", hint=error.hint) from error


def read_certificates(path: Path) -> list[Certificate]:
    """Read a file of certificates, in any form (``certs.pem``).

    Raises InputError where it cannot be opened, and CertificateError, with its name,
    where it holds none.
    """
    data = read_file(path)
    with in_file(path):
        return parse_certificates(data)
