"""A decision: granted, blanked or refused, with one enumerated reason.

Every ``Reason`` has a sentence (what happened), a cure (what the operator does about
it) and an HTTP status. A decision holds no secret: its ``resource`` is the printable
form of the request, where a one-time token is never shown.

Rule: reasons are values on record. Their names (``other_phones_file``) are stored,
logged and documented, so a name never changes its meaning.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from linekey.mac import Mac


class Outcome(StrEnum):
    """What the phone gets."""

    GRANTED = "granted"
    """The whole file."""
    BLANKED = "blanked"
    """The file with every secret left out."""
    REFUSED = "refused"
    """Nothing."""


class ReasonText(NamedTuple):
    """What a reason means, for people and for HTTP."""

    outcome: Outcome
    status: int
    sentence: str
    cure: str


class Reason(StrEnum):
    """Why a request was granted, blanked or refused. ``docs/reference/reasons.md``."""

    # granted, blanked
    OWN_FILE = "own_file"
    TOKEN_ACCEPTED = "token_accepted"  # noqa: S105 - a reason's name
    DIGEST_ACCEPTED = "digest_accepted"
    COMMON_FILE = "common_file"
    CERTIFICATE_FILE = "certificate_file"
    SECRETS_LEFT_OUT = "secrets_left_out"
    # the request
    NOTHING_THERE = "nothing_there"
    AMBIGUOUS_REQUEST = "ambiguous_request"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    UPLOAD_REFUSED = "upload_refused"
    NO_RENDERER = "no_renderer"
    # the certificate
    NO_CERTIFICATE = "no_certificate"
    SELF_SIGNED = "self_signed"
    ISSUER_NOT_TRUSTED = "issuer_not_trusted"
    ISSUER_NOT_AN_AUTHORITY = "issuer_not_an_authority"
    CHAIN_NOT_PROVED = "chain_not_proved"
    KEY_OUT_OF_BOUNDS = "key_out_of_bounds"
    AUTHORITY_CERTIFICATE = "authority_certificate"
    PURPOSE_NOT_ALLOWED = "purpose_not_allowed"
    KEY_USAGE_NOT_ALLOWED = "key_usage_not_allowed"
    NO_IDENTITY_RULE = "no_identity_rule"
    NO_MAC = "no_mac"
    SEVERAL_NAMES = "several_names"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    # the device
    OTHER_PHONES_FILE = "other_phones_file"
    UNKNOWN_PHONE = "unknown_phone"
    REVOKED = "revoked"
    VENDOR_MISMATCH = "vendor_mismatch"
    GENERATION_NOT_ALLOWED = "generation_not_allowed"
    SHARED_CERTIFICATE = "shared_certificate"
    SHARED_NOT_EXPECTED = "shared_not_expected"
    # the connection
    TLS_TOO_OLD = "tls_too_old"
    MODEL_NEEDED = "model_needed"
    # the second factor
    TOKEN_WRONG = "token_wrong"  # noqa: S105 - a reason's name
    TOKEN_USED = "token_used"  # noqa: S105 - a reason's name
    DIGEST_REQUIRED = "digest_required"
    DIGEST_WRONG = "digest_wrong"
    DIGEST_STALE = "digest_stale"
    DIGEST_PAUSED = "digest_paused"

    @property
    def outcome(self) -> Outcome:
        """The one outcome this reason goes with."""
        return _TEXTS[self].outcome

    @property
    def status(self) -> int:
        """The HTTP status the answer has."""
        return _TEXTS[self].status

    @property
    def sentence(self) -> str:
        """What happened, one sentence, lower case, without a full stop."""
        return _TEXTS[self].sentence

    @property
    def cure(self) -> str:
        """What the operator does about it; empty for a grant."""
        return _TEXTS[self].cure


def _granted(sentence: str) -> ReasonText:
    return ReasonText(Outcome.GRANTED, 200, sentence, "")


def _refused(status: int, sentence: str, cure: str) -> ReasonText:
    return ReasonText(Outcome.REFUSED, status, sentence, cure)


_TEXTS: dict[Reason, ReasonText] = {
    Reason.OWN_FILE: _granted("the certificate names this very phone"),
    Reason.TOKEN_ACCEPTED: _granted(
        "the phone cannot prove itself, but its URL carried the one-time token of this "
        "device; the token is now used up"
    ),
    Reason.DIGEST_ACCEPTED: _granted(
        "the phone cannot prove itself, but it knew the user name and password of this "
        "device"
    ),
    Reason.COMMON_FILE: _granted(
        "a file for every phone of the fleet, without secrets"
    ),
    Reason.CERTIFICATE_FILE: _granted("a certificate that phones are told to trust"),
    Reason.SECRETS_LEFT_OUT: ReasonText(
        Outcome.BLANKED,
        200,
        "a shared certificate proves the vendor only, so every secret was left out",
        "give the phone a one-time token in its URL, or HTTP user and password",
    ),
    Reason.NOTHING_THERE: _refused(
        404,
        "the URL names no file a phone may have",
        "nothing, if the phone probes for optional files; else check the phone's "
        "setting server URL",
    ),
    Reason.AMBIGUOUS_REQUEST: _refused(
        400,
        "the URL is spelled so that it could mean more than one thing",
        "write the phone's setting server URL plainly: no %, no //, no dots, and one "
        "MAC of 12 hex digits, as {mac} writes it",
    ),
    Reason.METHOD_NOT_ALLOWED: _refused(
        405,
        "phones may read files here, and only read",
        "turn off uploads and other methods in the phone, or send them elsewhere",
    ),
    Reason.UPLOAD_REFUSED: _refused(
        405,
        "the phone wants to upload its log, and no log is kept here",
        "nothing: the phone goes on without; or point its log upload elsewhere",
    ),
    Reason.NO_RENDERER: _refused(
        501,
        "the phone may have this file, but linekey has no renderer for its format yet",
        "provision this phone with another server; Snom's XML is the one format so far",
    ),
    Reason.NO_CERTIFICATE: _refused(
        403,
        "the phone sent no certificate",
        "turn off empty_tls_client_cert, or allow a second factor without certificate "
        "in the settings and give the phone one",
    ),
    Reason.SELF_SIGNED: _refused(
        403,
        "the certificate is signed by itself, so it proves nothing",
        "use the phone's built-in certificate, or one of an authority in linekey trust",
    ),
    Reason.ISSUER_NOT_TRUSTED: _refused(
        403,
        "no authority in the trust list has signed this certificate",
        "import the vendor's root and intermediates with linekey trust add",
    ),
    Reason.ISSUER_NOT_AN_AUTHORITY: _refused(
        403,
        "the certificate is signed with one that is no authority's",
        "treat this phone as tampered with: no vendor issues such certificates",
    ),
    Reason.KEY_OUT_OF_BOUNDS: _refused(
        403,
        "a certificate in the chain has a key that no phone and no vendor has",
        "see the detail; no such key is used to check anything, since that can cost a "
        "server as much as hundreds of phones do: treat the sender as hostile",
    ),
    Reason.CHAIN_NOT_PROVED: _refused(
        403,
        "the certificate chain does not hold",
        "see the detail; compare the chain with the vendor's authorities",
    ),
    Reason.AUTHORITY_CERTIFICATE: _refused(
        403,
        "an authority's certificate was sent where a phone's belongs",
        "use the phone's own certificate",
    ),
    Reason.PURPOSE_NOT_ALLOWED: _refused(
        403,
        "the certificate, or one above it, was issued for another purpose than TLS",
        "issue it with extendedKeyUsage clientAuth, or without one; a certificate of "
        "the vendor's that is not for TLS is not the built-in one",
    ),
    Reason.KEY_USAGE_NOT_ALLOWED: _refused(
        403,
        "the certificate's keyUsage does not let its key sign, as a TLS client must",
        "issue it with keyUsage digitalSignature, or without one; if the vendor wrote "
        "it, ask the vendor for a new certificate",
    ),
    Reason.NO_IDENTITY_RULE: _refused(
        403,
        "the issuer is trusted, but nothing says where it puts a phone's MAC",
        "check that the right authority was imported, then say whose phones it issues "
        "for: linekey trust set FINGERPRINT --vendor VENDOR, or --rule for your own CA",
    ),
    Reason.NO_MAC: _refused(
        403,
        "the certificate does not hold exactly 12 hex digits where the MAC belongs",
        "see the detail; for a CA of your own, linekey trust set says where the MAC "
        "is; if the vendor wrote it, ask the vendor for a new certificate",
    ),
    Reason.SEVERAL_NAMES: _refused(
        403,
        "the certificate holds several names where one MAC belongs",
        "treat this phone as tampered with: no vendor issues such certificates",
    ),
    Reason.NOT_YET_VALID: _refused(
        403,
        "the certificate, or one above it, is not valid yet",
        "check the server's clock first, then the certificate's dates",
    ),
    Reason.EXPIRED: _refused(
        403,
        "the certificate, or one above it, has expired",
        "renew the phone's certificate, or import the authority's renewed certificate",
    ),
    Reason.OTHER_PHONES_FILE: _refused(
        403,
        "the certificate names one phone, and the URL another",
        "check the MAC in the phone's setting server URL; use {mac} there",
    ),
    Reason.UNKNOWN_PHONE: _refused(
        403,
        "no device with this MAC is registered",
        "linekey device add MAC",
    ),
    Reason.REVOKED: _refused(
        403,
        "this device is revoked",
        "linekey device restore MAC, if that was an error",
    ),
    Reason.VENDOR_MISMATCH: _refused(
        403,
        "the certificate is from another vendor than the device's record says",
        "linekey device set MAC --vendor, if the record is wrong; linekey trust list "
        "says for whose phones an authority stands",
    ),
    Reason.GENERATION_NOT_ALLOWED: _refused(
        403,
        "this device may not use a certificate of this generation",
        "correct the device's model, firmware or allowed generations with "
        "linekey device set",
    ),
    Reason.SHARED_CERTIFICATE: _refused(
        403,
        "a certificate shared by many phones proves the vendor, not the phone",
        "give the phone a one-time token in its URL, or HTTP user and password",
    ),
    Reason.SHARED_NOT_EXPECTED: _refused(
        403,
        "a shared certificate was sent for a model that has certificates of its own",
        "correct the device's model with linekey device set, if the record is wrong",
    ),
    Reason.TLS_TOO_OLD: _refused(
        403,
        "the connection uses an older TLS version than this phone can speak",
        "if the record is wrong: linekey device set MAC --model MODEL --firmware "
        "VERSION; if it is right, look for what sits in between and lowers the version",
    ),
    Reason.MODEL_NEEDED: _refused(
        403,
        "an old TLS version is only for phones known to need it, and this device's "
        "record has no known model",
        "set the model: linekey device set MAC --model MODEL --firmware VERSION",
    ),
    Reason.TOKEN_WRONG: _refused(
        403,
        "the one-time token in the URL is not this device's",
        "make a new token for this device and put it into the phone's URL",
    ),
    Reason.TOKEN_USED: _refused(
        403,
        "the one-time token in the URL has been used before",
        "make a new token, if it was this phone; else somebody has seen its URL",
    ),
    Reason.DIGEST_REQUIRED: _refused(
        401,
        "a second factor is needed, and the phone was asked for user name and password",
        "nothing, if the phone answers; else set http_client_user and http_client_pass",
    ),
    Reason.DIGEST_WRONG: _refused(
        401,
        "user name or password is not this device's",
        "set http_client_user and http_client_pass in the phone to the device's",
    ),
    Reason.DIGEST_STALE: _refused(
        401,
        "the answer is to a challenge that is too old or not ours; a new one was sent",
        "nothing: the phone answers the new one by itself",
    ),
    Reason.DIGEST_PAUSED: _refused(
        429,
        "too many wrong answers were given for this device or from this address, so "
        "this one was not read; the answer says when the next one is",
        "linekey log --mac MAC --refused shows who guesses; if it is the phone itself, "
        "set its http_client_user and http_client_pass to the device's; a phone that "
        "must not wait can have a one-time token",
    ),
}
assert _TEXTS.keys() == set(Reason), "every reason has its text"


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided for one request, and why. Holds no secret.

    ``mac`` is whom the certificate proves (None: nobody); ``target_mac`` whose file was
    asked for. ``resource`` is the request as it may be shown (a token is masked).
    ``detail`` adds what this one case has beyond the reason's sentence, or is empty.
    """

    reason: Reason
    resource: str
    mac: Mac | None = None
    target_mac: Mac | None = None
    detail: str = ""
    consumes_token: bool = False
    """The store marks the token used, in one step with recording this decision; if it
    was used meanwhile, the answer becomes ``refused(Reason.TOKEN_USED)``."""
    challenge: bool = False
    """The answer carries ``WWW-Authenticate`` (status 401)."""
    vendor: str | None = None
    generation: str | None = None
    leaf_sha256: str | None = None

    @property
    def outcome(self) -> Outcome:
        """Granted, blanked or refused; the reason's."""
        return self.reason.outcome

    @property
    def status(self) -> int:
        """The HTTP status of the answer; the reason's."""
        return self.reason.status

    @property
    def blank_secrets(self) -> bool:
        """Whether the file must go out without its secrets.

        True for everything but a grant of a phone's own file, so that forgetting to
        look at the outcome cannot leak one.
        """
        return self.reason not in _WHOLE_FILE

    @property
    def sentence(self) -> str:
        """The reason's sentence, with the detail of this case."""
        if not self.detail:
            return self.reason.sentence
        return f"{self.reason.sentence} ({self.detail})"


_WHOLE_FILE = frozenset(
    {Reason.OWN_FILE, Reason.TOKEN_ACCEPTED, Reason.DIGEST_ACCEPTED}
)
