"""TLS of the lab's small servers beside the provisioning server: registrar and menu.

Rule: they ask for a certificate and take none that the lab's vendor CA, or that of the
lab's phone's maker, has not issued; who shows none gets in, and is told so or asked for
a password. The provisioning
server's gate judges it, at the same price for strangers.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from linekey.certs.certificate import Certificate
from linekey.lab.authority import LabAuthority
from linekey.server.gate import Gate
from linekey.tls.engine import Identity, ServerContexts
from linekey.tls.policy import BEST_VERSION


def lab_contexts(
    lab: LabAuthority, session_id_context: bytes, more: Sequence[Certificate] = ()
) -> ServerContexts:
    """The lab server's identity, and trust in the lab's phones.

    ``session_id_context`` differs from server to server: none resumes another's
    session. ``more`` are the authorities of the maker of the lab's phone.
    """
    chain, key = lab.server_identity()
    gate = Gate(lambda: datetime.now(UTC))
    every = (*lab.vendor_roots(), *lab.vendor_intermediates(), *more)
    roots = tuple(dict.fromkeys(c for c in every if c.self_issued))
    intermediates = tuple(dict.fromkeys(c for c in every if not c.self_issued))
    gate.trust(roots, intermediates, 1)
    return ServerContexts(
        Identity(chain, key),
        verify=gate.verify,
        roots=roots,
        intermediates=intermediates,
        session_id_context=session_id_context,
        best_version=BEST_VERSION,
        openssl_proves=False,
    )
