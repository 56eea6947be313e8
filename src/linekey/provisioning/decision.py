"""A decision: granted, blanked or refused, with one enumerated reason.

Every ``Reason`` has a sentence (what happened), a cure (what the operator does about
it) and an HTTP status. A decision holds no secret: its ``resource`` is the printable
form of the request, where a one-time token is never shown.

Rule: reasons are values on record. Their names (``other_phones_file``) are stored,
logged and documented, so a name never changes its meaning.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from linekey.mac import Mac
from linekey.reasons import Row, Severity
from linekey.value import value


class Outcome(StrEnum):
    """What the phone gets."""

    GRANTED = "granted"
    """The whole file."""
    BLANKED = "blanked"
    """The file with every secret left out."""
    REFUSED = "refused"
    """Nothing."""
    ABSENT = "absent"
    """Nothing, and nothing is wrong: phones ask for such a file whether it is there or
    not, and go on without it."""


class Reason(StrEnum):
    """Why a request was granted, blanked or refused. ``docs/reference/reasons.md``."""

    # granted, blanked
    OWN_FILE = "own_file"
    TOKEN_ACCEPTED = "token_accepted"  # noqa: S105 - a reason's name
    DIGEST_ACCEPTED = "digest_accepted"
    COMMON_FILE = "common_file"
    CERTIFICATE_FILE = "certificate_file"
    SECRETS_LEFT_OUT = "secrets_left_out"
    ADOPTED = "adopted"
    EXPIRED_ACCEPTED = "expired_accepted"
    WAITING = "waiting"
    # the request
    OPTIONAL_FILE = "optional_file"
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
    EXPIRED_NOT_ACCEPTED = "expired_not_accepted"
    EXPIRED_ALONE = "expired_alone"
    # the device
    OTHER_PHONES_FILE = "other_phones_file"
    UNKNOWN_PHONE = "unknown_phone"
    REVOKED = "revoked"
    CA_NOT_ALLOWED = "ca_not_allowed"
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
        if self is Reason.OPTIONAL_FILE:
            return Outcome.ABSENT
        return _OUTCOMES[_TEXTS[self].severity]

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


_OUTCOMES: dict[Severity, Outcome] = {
    "note": Outcome.GRANTED,
    "warning": Outcome.BLANKED,
    "refused": Outcome.REFUSED,
}


def _granted(sentence: str) -> Row:
    return Row(sentence, "", "note", (200,))


def _refused(status: int, sentence: str, cure: str) -> Row:
    return Row(sentence, cure, "refused", (status,))


_TEXTS: dict[Reason, Row] = {
    Reason.OWN_FILE: _granted("the certificate is this phone's"),
    Reason.TOKEN_ACCEPTED: _granted(
        "the certificate alone does not prove the phone, but the URL had this "
        "device's one-time token, which is now used up"
    ),
    Reason.DIGEST_ACCEPTED: _granted(
        "the certificate alone does not prove the phone, but it gave this device's "
        "HTTP user name and password"
    ),
    Reason.COMMON_FILE: _granted("a file that all phones may have, without secrets"),
    Reason.CERTIFICATE_FILE: _granted(
        "a certificate that the phones are configured to trust"
    ),
    Reason.SECRETS_LEFT_OUT: Row(
        "the certificate is shared by many phones and proves only the vendor, so all "
        "secrets were left out",
        "give the phone a one-time token in its URL, or an HTTP user name and password",
        "warning",
        (200,),
    ),
    Reason.ADOPTED: _granted(
        "nobody had registered this phone, a rule of yours did so now, and the "
        "certificate is this phone's"
    ),
    Reason.EXPIRED_ACCEPTED: _granted(
        "the certificate is this phone's and has expired, or a CA above it has; it was "
        "accepted all the same, as you set"
    ),
    Reason.WAITING: Row(
        "no device with this MAC is registered, so the phone got a waiting file with "
        "nothing but its code",
        "compare the code with the one on the phone's display, then: linekey pending "
        "approve MAC; or linekey pending refuse MAC",
        "warning",
        (200,),
    ),
    Reason.OPTIONAL_FILE: Row(
        "nothing is there, and phones that ask for this file do without it",
        "",
        "note",
        (404,),
    ),
    Reason.NOTHING_THERE: _refused(
        404,
        "the URL is not that of a file for phones",
        "check the setting server URL in the phone, unless it looks for a file that it "
        "can do without",
    ),
    Reason.AMBIGUOUS_REQUEST: _refused(
        400,
        "the URL can be read in more than one way",
        "correct the setting server URL in the phone: no %, no //, no . or .. folders, "
        "and only one MAC of 12 hex digits, as {mac} inserts it",
    ),
    Reason.METHOD_NOT_ALLOWED: _refused(
        405,
        "the HTTP method is not GET or HEAD, and phones may only read files here",
        "turn off uploads in the phone, or send them to another server",
    ),
    Reason.UPLOAD_REFUSED: _refused(
        405,
        "the phone tried to upload its log or its user's changes, which linekey does "
        "not store",
        "nothing: the phone works without it; or send its log to another server, and "
        "switch the upload of changes off in the phone",
    ),
    Reason.NO_RENDERER: _refused(
        501,
        "the phone may have this file, but linekey cannot write its format yet",
        "linekey device set MAC --vendor VENDOR, if the record names none; for Cisco, "
        "Panasonic, Mitel, Fanvil, Htek and AudioCodes provision with another server: "
        "linekey does not write their files yet",
    ),
    Reason.NO_CERTIFICATE: _refused(
        403,
        "the phone sent no certificate",
        "turn off empty_tls_client_cert in the phone; or allow a second factor without "
        "a certificate in linekey.toml, and give the phone a token or password",
    ),
    Reason.SELF_SIGNED: _refused(
        403,
        "the certificate is self-signed, so it proves nothing",
        "use the phone's built-in certificate, or one from a CA in linekey trust list",
    ),
    Reason.ISSUER_NOT_TRUSTED: _refused(
        403,
        "the certificate is not from a CA in the trust list",
        "import the vendor's root and intermediates with linekey trust add",
    ),
    Reason.ISSUER_NOT_AN_AUTHORITY: _refused(
        403,
        "the certificate was signed with the key of a certificate that is not a CA",
        "treat this phone as tampered with: no vendor issues such certificates",
    ),
    Reason.KEY_OUT_OF_BOUNDS: _refused(
        403,
        "a certificate in the chain has a key of a size or kind that no vendor uses",
        "see the detail, and treat the sender as an attacker: checking a signature "
        "with such a key can cost a server as much as hundreds of phones, so it is not "
        "done",
    ),
    Reason.CHAIN_NOT_PROVED: _refused(
        403,
        "the certificate chain is not valid",
        "see the detail; compare the chain with the vendor's CA certificates",
    ),
    Reason.AUTHORITY_CERTIFICATE: _refused(
        403,
        "the client sent a CA certificate instead of a phone's certificate",
        "use the phone's own certificate",
    ),
    Reason.PURPOSE_NOT_ALLOWED: _refused(
        403,
        "the certificate, or a CA above it, was issued for another purpose than TLS",
        "your own CA: issue it with extendedKeyUsage clientAuth, or without "
        "extendedKeyUsage; a vendor's: it is not the built-in certificate",
    ),
    Reason.KEY_USAGE_NOT_ALLOWED: _refused(
        403,
        "the certificate's keyUsage does not allow signing, which a TLS client must do",
        "your own CA: issue it with keyUsage digitalSignature, or without keyUsage; a "
        "vendor's: ask the vendor for a new certificate",
    ),
    Reason.NO_IDENTITY_RULE: _refused(
        403,
        "the CA is trusted, but linekey does not know where it puts the phone's MAC",
        "check that the right CA was imported, then name its vendor: linekey trust set "
        "FINGERPRINT --vendor VENDOR; for your own CA: --rule cn-mac, st-mac or shared",
    ),
    Reason.NO_MAC: _refused(
        403,
        "the certificate does not have exactly 12 hex digits where the MAC should be",
        "see the detail; your own CA: say where the MAC is with linekey trust set; a "
        "vendor's: ask the vendor for a new certificate",
    ),
    Reason.SEVERAL_NAMES: _refused(
        403,
        "the certificate has several names where one MAC should be",
        "treat this phone as tampered with: no vendor issues such certificates",
    ),
    Reason.NOT_YET_VALID: _refused(
        403,
        "the certificate, or a CA above it, is not valid yet",
        "check the server's clock, then the certificate's dates",
    ),
    Reason.EXPIRED: _refused(
        403,
        "the certificate, or a CA above it, has expired",
        "renew the phone's certificate, or import the renewed CA certificate; where "
        "there is none, linekey trust set FINGERPRINT --expired says what such phones "
        "get",
    ),
    Reason.EXPIRED_NOT_ACCEPTED: _refused(
        403,
        "the certificate, or a CA above it, has expired, and is not accepted for this "
        "device",
        "if the phone is yours: linekey device set MAC --expired registered, or "
        "accept; a device that was registered after the end needs accept",
    ),
    Reason.EXPIRED_ALONE: _refused(
        403,
        "the certificate, or a CA above it, has expired, and without a second factor "
        "it is not enough",
        "give the phone an HTTP user name and password with linekey device set MAC "
        "--digest USER, or a one-time token in its URL",
    ),
    Reason.OTHER_PHONES_FILE: _refused(
        403,
        "the certificate is one phone's, and the URL asks for another phone's file",
        "check the MAC in the phone's setting server URL; write {mac} there",
    ),
    Reason.UNKNOWN_PHONE: _refused(
        403,
        "no device with this MAC is registered",
        "if the phone is yours: linekey pending approve MAC, if linekey pending list "
        "has it; otherwise linekey device add MAC --model MODEL",
    ),
    Reason.REVOKED: _refused(
        403,
        "this device is revoked",
        "if that was a mistake: linekey device restore MAC",
    ),
    Reason.CA_NOT_ALLOWED: _refused(
        403,
        "the certificate is from a CA that this device's group does not allow",
        "if the phone is in the wrong group: linekey device set MAC --group NAME; if "
        "the CA is right: linekey group set NAME --ca FINGERPRINT; linekey group show "
        "NAME lists the CAs it allows",
    ),
    Reason.VENDOR_MISMATCH: _refused(
        403,
        "the certificate is from another vendor than the device's record says",
        "if the record is wrong: linekey device set MAC --vendor VENDOR; linekey trust "
        "list shows each CA's vendor",
    ),
    Reason.GENERATION_NOT_ALLOWED: _refused(
        403,
        "certificates of this generation (SHA-1 or SHA-2) are not accepted for this "
        "device",
        "correct the device's model, firmware or generation with linekey device set",
    ),
    Reason.SHARED_CERTIFICATE: _refused(
        403,
        "the certificate is shared by many phones and proves only the vendor",
        "give the phone a one-time token in its URL, or an HTTP user name and password",
    ),
    Reason.SHARED_NOT_EXPECTED: _refused(
        403,
        "the certificate is shared by many phones, but this model has one for each "
        "phone",
        "if the record is wrong, correct the device's model with linekey device set",
    ),
    Reason.TLS_TOO_OLD: _refused(
        403,
        "the connection uses an older TLS version than this phone supports",
        "if the record is wrong: linekey device set MAC --model MODEL --firmware "
        "VERSION; if it is right, find out what between phone and server lowers the "
        "version",
    ),
    Reason.MODEL_NEEDED: _refused(
        403,
        "the connection uses an old TLS version, which is allowed only for models that "
        "need it, and this device's record has no model that is known to",
        "set the model: linekey device set MAC --model MODEL --firmware VERSION; of "
        "Yealink, Poly and Grandstream phones nobody tells which versions a model "
        "speaks: they need TLS 1.2, so update the phone's firmware",
    ),
    Reason.TOKEN_WRONG: _refused(
        403,
        "the one-time token in the URL is not this device's",
        "make a new token with linekey device token MAC, and put it into the phone's "
        "URL",
    ),
    Reason.TOKEN_USED: _refused(
        403,
        "the one-time token in the URL was used before",
        "if this phone used it, make a new one: linekey device token MAC; if not, "
        "somebody else knows its URL",
    ),
    Reason.DIGEST_REQUIRED: _refused(
        401,
        "a second factor is required, so the phone was asked for its HTTP user name "
        "and password",
        "nothing, if the phone answers; otherwise set http_client_user and "
        "http_client_pass in the phone",
    ),
    Reason.DIGEST_WRONG: _refused(
        401,
        "the HTTP user name or password is wrong for this device",
        "set http_client_user and http_client_pass in the phone to the device's",
    ),
    Reason.DIGEST_STALE: _refused(
        401,
        "the phone answered an old or unknown HTTP digest challenge; a new one was "
        "sent",
        "nothing: the phone answers the new one by itself",
    ),
    Reason.DIGEST_PAUSED: _refused(
        429,
        "too many wrong passwords were sent for this device or from this address, so "
        "this one was not checked; the answer says when to try again",
        "find the sender with linekey log --mac MAC --refused; if it is the phone "
        "itself, set its http_client_user and http_client_pass to the device's; if it "
        "cannot wait, give it a one-time token",
    ),
}
assert _TEXTS.keys() == set(Reason), "every reason has its text"


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A pending phone, as one request shows it. Part of the decision."""

    mac: Mac
    code: str
    vendor: str
    """As its certificate says: a maker's name, or the operator's for a CA of his."""
    issuer: str
    """Name of the CA that issued its certificate."""
    certificate_model: str | None = None
    file_model: str | None = None
    """What the name of the file says that it asked for: a hint, no proof."""
    group: str | None = None
    """Of the rule that it fits."""
    waits: bool = False
    """Whether it is given the waiting file now."""


@value
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
    issuer_key_sha256: str | None = None
    """Of the key of the CA that issued the certificate, where its path is proved."""
    certificate_ends_at: datetime | None = None
    """The first end of validity on that path."""
    group: str | None = None
    """Of the phone whose record was looked at."""
    newcomer: Newcomer | None = None
    """Set where the phone proved itself and only its record is missing."""

    @property
    def outcome(self) -> Outcome:
        """Granted, blanked, refused or absent; the reason's."""
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
    {
        Reason.OWN_FILE,
        Reason.ADOPTED,
        Reason.EXPIRED_ACCEPTED,
        Reason.TOKEN_ACCEPTED,
        Reason.DIGEST_ACCEPTED,
    }
)
