"""What OpenSSL's contexts are told where pyOpenSSL has no call for it.

Beside ``binding``, from which OpenSSL's functions come, the only module that may use
pyOpenSSL's private names; no callback is installed here. Rule: OpenSSL's error queue is
empty afterwards.
"""

from collections.abc import Callable, Iterable
from typing import Any

from OpenSSL import SSL, crypto

from linekey.tls.binding import NULL, lib, reasons, show


def use_certificate(context: SSL.Context, certificate: crypto.X509) -> bool:
    """Make this the context's own certificate; False where OpenSSL refuses.

    pyOpenSSL wants `cryptography`'s certificates here, which refuse what old phones
    carry (a serial number below zero, for one); OpenSSL itself takes them.
    """
    return _accepted(lib.SSL_CTX_use_certificate, context, certificate)


def add_chain_certificate(context: SSL.Context, certificate: crypto.X509) -> bool:
    """Send this one too, after the context's own; False where OpenSSL refuses."""
    x509 = certificate._x509
    lib.X509_up_ref(x509)  # the context frees it
    if _accepted(lib.SSL_CTX_add_extra_chain_cert, context, certificate):
        return True
    lib.X509_free(x509)
    return False


def misfit(context: SSL.Context, leaf: crypto.X509, key: crypto.PKey) -> str:
    """Say why connections of this context cannot show these; empty where they can."""
    lib.ERR_clear_error()
    ssl = lib.SSL_new(context._context)
    try:
        if show(ssl, leaf, key):
            return ""
        return "; ".join(reasons()) or "no reason given"
    finally:
        lib.SSL_free(ssl)


def add_client_authority(context: SSL.Context, certificate: crypto.X509) -> bool:
    """Name this authority when asking for a certificate; False where refused."""
    return _accepted(lib.SSL_CTX_add_client_CA, context, certificate)


def _accepted(
    call: Callable[[Any, Any], int], context: SSL.Context, certificate: crypto.X509
) -> bool:
    lib.ERR_clear_error()
    done = call(context._context, certificate._x509) == 1
    lib.ERR_clear_error()
    return done


def set_groups(context: SSL.Context, names: Iterable[str]) -> bool:
    """Set the groups, best first; False where OpenSSL does not know one."""
    return _set_list(context, lib.SSL_CTX_set1_curves_list, names)


def set_signature_algorithms(context: SSL.Context, names: Iterable[str]) -> bool:
    """Set the signature algorithms, best first; False where OpenSSL refuses."""
    return _set_list(context, lib.SSL_CTX_set1_sigalgs_list, names)


def _set_list(
    context: SSL.Context, setter: Callable[[Any, bytes], int], names: Iterable[str]
) -> bool:
    lib.ERR_clear_error()
    done = setter(context._context, ":".join(names).encode("ascii")) == 1
    lib.ERR_clear_error()
    return done


def set_dh_parameters(context: SSL.Context, pem: bytes) -> None:
    """Set the finite-field group for DHE below TLS 1.3."""
    bio = lib.BIO_new_mem_buf(pem, len(pem))
    try:
        parameters = lib.PEM_read_bio_DHparams(bio, NULL, NULL, NULL)
        if parameters == NULL:
            raise ValueError("OpenSSL cannot read the DH parameters")
        try:
            if lib.SSL_CTX_set_tmp_dh(context._context, parameters) != 1:
                raise ValueError("OpenSSL does not take the DH parameters")
        finally:
            lib.DH_free(parameters)
    finally:
        lib.BIO_free(bio)


RELEASE_BUFFERS: int = lib.SSL_MODE_RELEASE_BUFFERS
"""Gives a connection's record buffers back whenever they are empty."""

PARTIAL_WRITE: int = lib.SSL_MODE_ENABLE_PARTIAL_WRITE
"""pyOpenSSL switches it on; memory buffers take everything, so we switch it off."""
