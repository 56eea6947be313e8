"""Yealink, whole."""

from typing import Final

from linekey.makers.maker import Fact, FileKind, FileName, Maker, Upload
from linekey.makers.yealink import settings
from linekey.makers.yealink.grammar import YEALINK
from linekey.makers.yealink.models import MODELS

_GUIDE: Final = "YEALINK-GUIDE p. 126, 136"

MAKER: Final = Maker(
    id="yealink",
    title="Yealink",
    ouis=(
        *((oui, "H") for oui in "001565 805EC0 805E0C 249AD8 44DBD2 C4FC22".split()),
        *((oui, "M") for oui in "E434D7 3497D7 644F56 B061A9 EC1DA9 F01653".split()),
    ),
    grammars=(YEALINK,),
    files=(
        FileName("{mac}.boot", FileKind.MASTER, _GUIDE, "H", served=False,
                 note="not there, so the phone goes on"),
        FileName("y000000000000.boot", FileKind.MASTER, _GUIDE, "H", served=False,
                 note="not there, so the phone goes on"),
        FileName("y{number}.cfg", FileKind.COMMON, _GUIDE, "H",
                 note="any number is answered alike, without secrets"),
        FileName("{mac}.cfg", FileKind.OWN, _GUIDE, "H"),
        FileName("{mac}-local.cfg", FileKind.LOCAL, "YEALINK-GUIDE p. 58", "H",
                 served=False, note="only asked for with custom.sync = 1"),
    ),
    user_agents=(
        "Yealink {model} {firmware} {mac_colons}",
        "Yealink {model} {firmware} {mac}",
        "yealink {model} {firmware} {mac_colons}",
    ),
    models=MODELS,
    map=settings.MAP,
    guards=settings.GUARDS,
    known=settings.KNOWN,
    uploads=(
        Upload("{mac}-local.cfg", "PUT", "YEALINK-GUIDE p. 58", "M",
               "the user's changes, with custom.sync = 1"),
    ),
    trust=settings.trust,
    trust_source="YEALINK-GUIDE T48G p. 217, T2/T4/T5 p. 940; PBX-FUSION",
    trust_confidence="M",
    repeated=frozenset({"static.trusted_certificates.url", "include:config"}),
    own=settings.own,
    own_read=settings.own_read,
    sources=("YEALINK-GUIDE", "YEALINK-CERT", "PBX-FUSION", "PBX-WAZO", "PBX-TANCREDI"),
    facts=(
        Fact("the leaf's CN is the MAC; in which case is not known",
             "MTLS-PROTECT", "H"),
        Fact("models without a unique certificate send a generic one",
             "YEALINK-CERT V83", "H"),
        Fact("validity is checked against the phone's own clock",
             "YEALINK-CERT V83", "H"),
        Fact("the four settings of trust take effect after a restart",
             "PBX-FUSION", "M"),
        Fact("a file with the same MD5 is not applied again", "YEALINK-GUIDE", "M"),
        Fact("a missing file is asked for three times", "PBX-TEMPLATES", "M"),
        Fact("the MAC in file names is in lower case", "YEALINK-GUIDE p. 58", "H"),
        Fact("the maker's redirection (RPS) and multicast PnP are on by default;"
             " a file that says where to ask (any.provisioning.url) switches them off"
             " with static.zero_touch.enable and static.auto_provision.pnp_enable,"
             " unless a setting of yours says otherwise",
             "PBX-TANCREDI", "M"),
        Fact("the phone's own encryption of files is AES-ECB with keys that are public"
             " unless you set your own: it keeps no secret", "PBX-TEMPLATES", "H"),
        Fact("a host without a port, with TLS, is written with 5061, since what a phone"
             " takes without one is not known", "inference", "L"),
        Fact("the guides list RSA and DHE suites with AES-CBC, 3DES, DES, RC4, IDEA"
             " and export grade (T2/T4/T5 p. 938-939, T58 p. 315-316); that of VP59,"
             " T58A and CP960 (p. 95-96) names ECDHE as well",
             "YEALINK-GUIDE", "M"),
        Fact("with V87, SRTP needs account.N.srtp.cipher_list ="
             " AES_CM_128_HMAC_SHA1_80,AES_CM_128_HMAC_SHA1_32", "PBX-TANCREDI", "M"),
    ),
    unknown=(
        "which firmware was the first with TLS 1.2, and with TLS 1.3",
        "the names of its built-in CAs",
        "what it shows when a server's certificate fails, and when it tries again",
        "whether several lines of static.trusted_certificates.url add up",
        "which cipher suites it offers, by model and firmware: the guides' lists say"
        " what it supports, and no hello was seen",
    ),
)  # fmt: skip
