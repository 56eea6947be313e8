"""JA4: a short name for how a client says hello, the same for the same software.

By FoxIO's public specification of JA4 for TLS clients (technical_details/JA4.md,
BSD 3-Clause; confidence H). Its relatives JA4S, JA4H and JA4X are not free to use and
are not here. A fingerprint is a hint for logs, never evidence: anybody can copy one.
"""

import hashlib

from linekey.tls.hello import ClientHello
from linekey.tls.versions import is_grease

_VERSIONS = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3"}
_NOTHING = "0" * 12
_SNI, _ALPN = 0x0000, 0x0010


def ja4(hello: ClientHello) -> str:
    """Fingerprint a hello that came over TCP: ``t13d1516h2_8daaf6152771_e5627efa2ab1``.

    GREASE counts nowhere. Never raises.
    """
    start, suites, extensions, signatures = _parts(hello)
    tail = f"{extensions}_{signatures}" if signatures else extensions
    return f"{start}_{_digest(suites)}_{_digest(tail) if extensions else _NOTHING}"


def _parts(hello: ClientHello) -> tuple[str, str, str, str]:
    suites = [n for n in hello.suites if not is_grease(n)]
    extensions = [n for n, _ in hello.extensions if not is_grease(n)]
    version = hello.legacy_version
    if hello.extension(0x002B) is not None:
        version = hello.max_version
    start = (
        f"t{_VERSIONS.get(version, '00')}{'d' if _SNI in extensions else 'i'}"
        f"{min(len(suites), 99):02}{min(len(extensions), 99):02}{_alpn(hello.alpn)}"
    )
    listed = sorted(n for n in extensions if n not in {_SNI, _ALPN})
    signatures = [n for n in hello.signature_algorithms if not is_grease(n)]
    return start, _hex(sorted(suites)), _hex(listed), _hex(signatures)


def _alpn(protocols: tuple[bytes, ...]) -> str:
    first = protocols[0] if protocols else b""
    if not first:
        return "00"
    ends = bytes((first[0], first[-1]))
    if ends.isalnum():  # bytes: ASCII letters and digits only
        return ends.decode("ascii")
    text = first.hex()
    return text[0] + text[-1]


def _hex(numbers: list[int]) -> str:
    return ",".join(f"{n:04x}" for n in numbers)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:12] if text else _NOTHING
