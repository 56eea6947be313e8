"""The gate: is this certificate chain a phone's? Asked inside the TLS handshake.

One ``Gate`` holds the vendor CAs that the operator trusts and answers twice: to the
engine, which sends the alert that belongs to a refusal; and to the provisioning app,
for every request anew, since a resumed session brings the leaf without its handshake.

What one peer sends never decides about another. An identity is a function of a chain,
the trusted CAs and the time (``provisioning.identity``). It is kept by the leaf, for
that leaf alone, with what it sent and with the inner certificates of its proved path:

- in a handshake what was kept counts only if the very same chain is sent again;
- in a request a leaf that comes alone is completed with its own inner certificates: a
  resumed session (RFC 5077) carries no more, and phones send the intermediate only in a
  whole handshake.

An identity that was kept ends with the trust, and with the first date of its path:
then the chain is proved anew, with the inner certificates, before anybody is told that
it has expired or is not trusted. See decision 0006.

A path that holds but for its end is let through where the operator says that such
phones of its CA may come (``provisioning.expired``): nobody asks the registry inside a
handshake, so ``authorize`` decides, which is told that it has ended.

Rule: whether the phone is registered, revoked, or asks for the right file is not asked
here. A handshake that ends well never means that anything is granted.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from linekey.certs.certificate import Certificate
from linekey.mac import Mac
from linekey.provisioning.ca_rules import Rules
from linekey.provisioning.decision import Reason
from linekey.provisioning.expired import Expired, ExpiredRules
from linekey.provisioning.identity import Identity, VendorTrust, identify
from linekey.tls.alerts import Alert
from linekey.tls.events import Accept, PeerChain, Refuse

MAX_IDENTITIES = 65_536
"""Identities kept, some 1,000 bytes each: more phones than one process meets within
the life of a session (``tls.context.SESSION_LIFETIME_S``) at 100 new ones a second."""

ALERTS: dict[Reason, Alert] = {
    Reason.SELF_SIGNED: Alert.UNKNOWN_CA,
    Reason.ISSUER_NOT_TRUSTED: Alert.UNKNOWN_CA,
    Reason.ISSUER_NOT_AN_AUTHORITY: Alert.UNKNOWN_CA,
    Reason.CHAIN_NOT_PROVED: Alert.BAD_CERTIFICATE,
    Reason.AUTHORITY_CERTIFICATE: Alert.UNSUPPORTED_CERTIFICATE,
    Reason.KEY_OUT_OF_BOUNDS: Alert.UNSUPPORTED_CERTIFICATE,
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


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a leaf proved under this version of the trust, and the SHA-256 of each
    certificate that it sent with it."""

    version: int | None
    sent: frozenset[str]
    identity: Identity
    ended: bool
    """Whether its path had ended already when it was proved."""


class Gate:
    """Judges chains against the trusted vendor CAs. Not for several threads.

    ``clock`` gives an aware time. ``expired`` is what is done with paths that have
    ended, of CAs of which the operator says nothing.
    """

    def __init__(self, clock: Clock, expired: Expired = Expired.REFUSE) -> None:
        self._clock = clock
        self._expired = ExpiredRules(expired)
        self._trust = VendorTrust(())
        self._given: tuple[Certificate, ...] = ()
        self.version: int | None = None
        """The number of the trusted CAs that are used now."""
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

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
        rules: Rules | None = None,
        expired: Mapping[str, Expired] | None = None,
    ) -> bool:
        """Take the trusted CAs, and what the operator says of their phones.

        ``expired`` is his word on ended paths, by the SHA-256 of a CA's key. Return
        whether ``version`` is another than before; if not, nothing is taken.
        """
        if version == self.version:
            return False
        self.version = version
        self._given = tuple(c for c in intermediates if not c.self_issued)
        self._trust = VendorTrust(tuple(roots), self._given, rules or {})
        self._expired = ExpiredRules(self._expired.otherwise, expired)
        return True

    def expired_of(self, identity: Identity) -> Expired:
        """What the operator says of such a phone's certificate once it has ended."""
        return self._expired.of(identity.authorities)

    def _comes_late(self, identity: Identity, now: datetime) -> bool:
        """Whether its path holds but for its end, and may come all the same."""
        return (
            identity.problem is None
            and identity.not_before is not None
            and identity.not_before <= now
            and identity.has_ended(now)
            and self.expired_of(identity).opens
        )

    def identify(
        self,
        chain: Sequence[Certificate],
        verdict: object = None,
        now: datetime | None = None,
    ) -> Identity:
        """Say what a request's chain proves, by what is trusted now. Never raises.

        ``verdict`` is what ``verify`` attached to the connection, if it did. ``now``
        is aware; without it the clock's.
        """
        now = now or self._clock()
        if isinstance(verdict, Known) and verdict.version == self.version:
            if verdict.identity.is_valid(now):
                return verdict.identity
            again = self._prove(chain, now)
            return again if again.is_valid(now) else verdict.identity
        if len(chain) == 1 and (kept := self._kept.get(chain[0].sha256)):
            if self._holds(kept, now):
                self._kept.move_to_end(chain[0].sha256)
                return kept.identity
            chain = (*chain, *kept.identity.inner)
        return self._prove(chain, now)

    def _holds(self, kept: _Kept, now: datetime) -> bool:
        if kept.version != self.version:
            return False
        # What ended meanwhile is proved anew: another path may still hold.
        late = kept.ended and self._comes_late(kept.identity, now)
        return late or kept.identity.is_valid(now)

    def _prove(self, chain: Sequence[Certificate], now: datetime) -> Identity:
        if not chain:
            return identify((), self._trust)
        key, sent = chain[0].sha256, frozenset(c.sha256 for c in chain[1:])
        kept = self._kept.get(key)
        if kept is not None and not self._holds(kept, now):
            kept = None
        if kept is not None and kept.sent == sent:
            self._kept.move_to_end(key)
            return kept.identity
        identity = identify(chain, self._trust, now)
        late = self._comes_late(identity, now)
        if (late or identity.is_valid(now)) and (
            # Strangers' chains are not kept: knocking fills no memory. Nor does anybody
            # who has seen a phone's certificate make what is kept of it end earlier.
            kept is None or _end(identity) >= _end(kept.identity)
        ):
            self._kept[key] = _Kept(self.version, sent, identity, late)
            self._kept.move_to_end(key)
            if len(self._kept) > MAX_IDENTITIES:
                self._kept.popitem(last=False)
        return identity

    def verify(self, peer: PeerChain) -> Accept | Refuse:
        """Judge a phone's certificate inside the handshake: the engine's Verify."""
        now = self._clock()
        identity = self._prove(peer.sent or peer.path or (peer.leaf,), now)
        problem, detail = identity.problem, identity.detail
        if problem is None and identity.not_before and identity.not_after:
            if now < identity.not_before:
                problem, detail = Reason.NOT_YET_VALID, identity.begins
            elif now > identity.not_after and not self._comes_late(identity, now):
                problem, detail = Reason.EXPIRED, identity.ends
        if problem is None:
            return Accept(Known(identity, self.version))
        said = f"{problem.sentence} ({detail})" if detail else problem.sentence
        return Refuse(
            ALERTS.get(problem, Alert.BAD_CERTIFICATE),
            said,
            TurnedAway(problem, identity.mac),
            code=problem.value,
            cure=problem.cure,
        )


def _end(identity: Identity) -> datetime:
    assert identity.not_after is not None, "only proved ones are kept"
    return identity.not_after
