"""The gate: is this certificate chain a phone's? Asked inside the TLS handshake.

One ``Gate`` holds the vendor CAs that the operator trusts and answers twice: to the
engine, which sends the alert that belongs to a refusal; and to the provisioning app,
for every request anew, since a resumed session brings the leaf without its handshake.

What a chain proves does not change with time (``provisioning.identity``), so it is kept
by the leaf's fingerprint until the trusted CAs change. Intermediates that were proved
are kept too: a resumed session (RFC 5077) carries the leaf alone, and phones send the
intermediate only in a whole handshake.

Rule: whether the phone is registered, revoked, or asks for the right file is not asked
here. A handshake that ends well never means that anything is granted.
"""

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from linekey.certs.certificate import Certificate
from linekey.mac import Mac
from linekey.provisioning.decision import Reason
from linekey.provisioning.identity import Identity, VendorTrust, identify
from linekey.tls.alerts import Alert
from linekey.tls.events import Accept, PeerChain, Refuse

MAX_IDENTITIES = 20_000
"""Identities kept, some 500 bytes each: as many as the door has connections, twice."""
MAX_INTERMEDIATES = 256
"""Proved intermediates kept. All vendors known have some 20 together."""

ALERTS: dict[Reason, Alert] = {
    Reason.SELF_SIGNED: Alert.UNKNOWN_CA,
    Reason.ISSUER_NOT_TRUSTED: Alert.UNKNOWN_CA,
    Reason.ISSUER_NOT_AN_AUTHORITY: Alert.UNKNOWN_CA,
    Reason.CHAIN_NOT_PROVED: Alert.BAD_CERTIFICATE,
    Reason.AUTHORITY_CERTIFICATE: Alert.UNSUPPORTED_CERTIFICATE,
    Reason.PURPOSE_NOT_ALLOWED: Alert.UNSUPPORTED_CERTIFICATE,
    Reason.KEY_USAGE_NOT_ALLOWED: Alert.UNSUPPORTED_CERTIFICATE,
    Reason.NO_IDENTITY_RULE: Alert.CERTIFICATE_UNKNOWN,
    Reason.NO_MAC: Alert.CERTIFICATE_UNKNOWN,
    Reason.SEVERAL_NAMES: Alert.CERTIFICATE_UNKNOWN,
    Reason.NOT_YET_VALID: Alert.CERTIFICATE_EXPIRED,
    Reason.EXPIRED: Alert.CERTIFICATE_EXPIRED,
}
"""Reason → alert (RFC 8446 §6.2). "Expired" is also "not currently valid" there.
Without a certificate there is nothing to judge; the engine sends the alert for that."""

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Known:
    """What the gate attaches to a connection it let in: valid for this ``version``."""

    identity: Identity
    version: int | None


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """What the gate attaches to a refusal. ``mac`` is what was claimed, unproved."""

    reason: Reason
    mac: Mac | None


class Gate:
    """Judges chains against the trusted vendor CAs. Not for several threads.

    ``clock`` gives an aware time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._trust = VendorTrust(())
        self._given: tuple[Certificate, ...] = ()
        self.version: int | None = None
        """The number of the trusted CAs that are used now."""
        self._identities: OrderedDict[str, Identity] = OrderedDict()
        self._intermediates: OrderedDict[str, Certificate] = OrderedDict()

    @property
    def roots(self) -> tuple[Certificate, ...]:
        """The trusted vendor CAs that end a path."""
        return self._trust.anchors

    @property
    def intermediates(self) -> tuple[Certificate, ...]:
        """The vendor CAs that complete a path."""
        return self._given

    def trust(
        self,
        roots: Sequence[Certificate],
        intermediates: Sequence[Certificate],
        version: int,
    ) -> bool:
        """Take the trusted CAs; return whether ``version`` is another than before."""
        if version == self.version:
            return False
        self.version = version
        self._given = tuple(c for c in intermediates if not c.self_issued)
        self._trust = VendorTrust(tuple(roots), self._given)
        self._identities.clear()
        self._intermediates.clear()
        return True

    def identify(
        self, chain: Sequence[Certificate], verdict: object = None
    ) -> Identity:
        """Say what a chain proves, by what is trusted now. Never raises.

        ``verdict`` is what ``verify`` attached to the connection, if it did.
        """
        if isinstance(verdict, Known) and verdict.version == self.version:
            return verdict.identity
        if not chain:
            return identify((), self._trust)
        key = chain[0].sha256
        identity = self._identities.get(key)
        if identity is not None:
            self._identities.move_to_end(key)
            return identity
        identity = identify(chain, self._trust)
        if identity.problem is None:
            # Strangers' chains are not kept: knocking fills no memory.
            self._identities[key] = identity
            if len(self._identities) > MAX_IDENTITIES:
                self._identities.popitem(last=False)
            self._keep_intermediates(chain)
        return identity

    def _keep_intermediates(self, chain: Sequence[Certificate]) -> None:
        # Only what ends at a trusted root is believed, so a stray one does no harm.
        new = [
            c
            for c in chain[1:]
            if c.is_ca and not c.self_issued and c.sha256 not in self._intermediates
        ]
        if not new:
            return
        for certificate in new:
            self._intermediates[certificate.sha256] = certificate
        while len(self._intermediates) > MAX_INTERMEDIATES:
            self._intermediates.popitem(last=False)
        known = dict.fromkeys((*self._given, *self._intermediates.values()))
        self._trust = dataclasses.replace(self._trust, intermediates=tuple(known))

    def verify(self, peer: PeerChain) -> Accept | Refuse:
        """Judge a phone's certificate inside the handshake: the engine's Verify."""
        identity = self.identify(peer.path or (peer.leaf,))
        problem, detail = identity.problem, identity.detail
        if problem is None and identity.not_before and identity.not_after:
            now = self._clock()
            if now < identity.not_before:
                problem = Reason.NOT_YET_VALID
                detail = f"valid from {identity.not_before:%Y-%m-%d %H:%M}"
            elif now > identity.not_after:
                problem = Reason.EXPIRED
                detail = f"valid until {identity.not_after:%Y-%m-%d %H:%M}"
        if problem is None:
            return Accept(Known(identity, self.version))
        said = f"{problem.sentence} ({detail})" if detail else problem.sentence
        return Refuse(
            ALERTS.get(problem, Alert.BAD_CERTIFICATE),
            said,
            TurnedAway(problem, identity.mac),
        )
