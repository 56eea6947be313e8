"""Test servers, right and wrong, and what phones must make of each.

``Case.expected`` says, for each kind of phone, an outcome and the rules that refuse;
``why`` gives the reason. tests/servers holds the check *and* the virtual phone to it.
An outcome is one of

- ``accepted``
- ``phone: RULE …``: the phone refuses the server, by these rules
- ``server: RULE``: the server refuses the phone
- ``unreachable: RULE``: no TLS was spoken
"""

from collections.abc import Mapping
from typing import Final

from linekey.lab.servers.kinds import Case, from_tls10, from_tls12, same_for_all
from linekey.lab.servers.programs import MODERN, Speech

CASES: Final[tuple[Case, ...]] = (
    Case(
        "right",
        "nginx",
        "Everything is right, and every TLS version that phones speak is spoken.",
        expected=from_tls10(),
        why=(
            "Phones that know SHA-1 only refuse a SHA-256 signature as soon as "
            "they authenticate servers; 8.x does not by default."
        ),
    ),
    Case(
        "right-modern",
        "nginx",
        "Right for TLS 1.2 and 1.3 with AES-GCM, as one would set it up today.",
        speech=Speech("1.2", suites=MODERN),
        expected=from_tls12(),
        why=(
            "8.7.5.x on old models speaks TLS 1.0 only; the oldest offer nothing "
            "that a library speaks."
        ),
    ),
    Case(
        "right-haproxy",
        "haproxy",
        "HAProxy, right for TLS 1.2 and 1.3.",
        speech=Speech("1.2", suites=MODERN),
        expected=from_tls12(),
    ),
    Case(
        "right-sip",
        "kamailio",
        "Kamailio, right, with every version.",
        expected=from_tls10(),
    ),
    Case(
        "expired",
        "nginx",
        "The certificate ran out an hour ago.",
        certificate="expired",
        expected=from_tls10("phone: chain.expired", "phone: chain.expired"),
        why="Only phones that authenticate servers look at dates.",
    ),
    Case(
        "expired-sip",
        "kamailio",
        "Kamailio with a certificate that ran out an hour ago.",
        certificate="expired",
        expected=from_tls10("phone: chain.expired", "phone: chain.expired"),
    ),
    Case(
        "not-yet-valid",
        "nginx",
        "The certificate is good from the day after tomorrow on.",
        certificate="not-yet-valid",
        expected=from_tls10("phone: chain.not-yet-valid", "phone: chain.not-yet-valid"),
    ),
    Case(
        "wrong-name",
        "haproxy",
        "The certificate is for other.linekey.test.",
        certificate="wrong-name",
        expected=from_tls10("phone: name.mismatch"),
        why="Only 10.x checks the name by default (check_fqdn_against_server_cert).",
    ),
    Case(
        "wildcard",
        "nginx",
        "The certificate is for *.linekey.test.",
        certificate="wildcard",
        expected=from_tls10(),
        why="host_name_validation_flags is 0 in 10.x: wildcards are fine.",
    ),
    Case(
        "partial-wildcard",
        "nginx",
        "The certificate is for p*.linekey.test.",
        certificate="partial-wildcard",
        expected=from_tls10(),
        why="host_name_validation_flags is 0 in 10.x: partial wildcards, too.",
    ),
    Case(
        "deep-wildcard",
        "nginx",
        "The certificate is for *.test, one label too few.",
        certificate="deep-wildcard",
        expected=from_tls10("phone: name.mismatch"),
        why="A wildcard stands for one label.",
    ),
    Case(
        "ip-san",
        "nginx",
        "Phones call it by address, and the address is in the certificate.",
        certificate="ip-san",
        called="127.0.0.1",
        expected=from_tls10(),
        why="An address is compared with iPAddress names.",
    ),
    Case(
        "ip-as-dns",
        "nginx",
        "Phones call it by address, and the certificate has the address as a DNS name.",
        certificate="ip-as-dns",
        called="127.0.0.1",
        expected=from_tls10("phone: name.ip"),
        why="An address in a dNSName is not an iPAddress (RFC 9525).",
    ),
    Case(
        "cn-only",
        "nginx",
        "The name is in the CN, and there is no subjectAltName.",
        certificate="cn-only",
        expected=from_tls10(),
        why="OpenSSL falls back to the CN where there is no dNSName.",
    ),
    Case(
        "cn-and-other-san",
        "nginx",
        "The name is in the CN, and subjectAltName has another.",
        certificate="cn-and-other-san",
        expected=from_tls10("phone: name.mismatch"),
        why="With a dNSName there, the CN is not looked at.",
    ),
    Case(
        "missing-intermediate",
        "nginx",
        "The intermediate is not sent.",
        certificate="missing-intermediate",
        expected=from_tls10("phone: chain.incomplete", "phone: chain.incomplete"),
        why="Phones fetch nothing: what is not sent is not there.",
    ),
    Case(
        "misordered",
        "openssl",
        "Leaf, root, intermediate: the order is wrong.",
        certificate="misordered",
        expected=from_tls10(),
        why="OpenSSL sorts what it is sent; the check warns.",
    ),
    Case(
        "extra-root",
        "haproxy",
        "A foreign root is sent along.",
        certificate="extra-root",
        expected=from_tls10(),
        why="What is foreign to the path is not used; the check warns.",
    ),
    Case(
        "root-sent",
        "haproxy",
        "Its own root is sent along.",
        certificate="root-sent",
        expected=from_tls10(),
        why="A root is known or not; sending it changes nothing.",
    ),
    Case(
        "leaf-twice",
        "openssl",
        "The leaf is sent twice.",
        certificate="leaf-twice",
        expected=from_tls10(),
        why="A certificate that is sent twice is used once; the check warns.",
    ),
    Case(
        "sha1-chain",
        "openssl",
        "Leaf and intermediate are signed with SHA-1.",
        certificate="sha1",
        expected=from_tls10("accepted", "accepted"),
        why="What every phone has known, and newer ones still take.",
    ),
    Case(
        "md5-chain",
        "openssl",
        "Leaf and intermediate are signed with MD5.",
        certificate="md5",
        expected=from_tls10(),
        why="The phones' OpenSSL has no minimum for hashes; MD5 protects nobody.",
    ),
    Case(
        "rsa-1024",
        "openssl",
        "The server's key has 1024 bits.",
        certificate="rsa-1024",
        expected=from_tls10(),
        why="No lower limit of the key is known for any model.",
    ),
    Case(
        "rsa-4096",
        "openssl",
        "The server's key has 4096 bits.",
        certificate="rsa-4096",
        expected=from_tls10(),
        why="Keys up to 16384 bits are taken.",
    ),
    Case(
        "ecdsa-only",
        "nginx",
        "The server's only certificate has a P-256 key.",
        certificate="ecdsa",
        expected=same_for_all(
            "server: tls.suite",
            tls12="accepted",
            v10="accepted",
            v89="accepted",
            v89_strict="accepted",
        ),
        why="TLS 1.0 phones offer no ECDSA suite.",
    ),
    Case(
        "version-1",
        "openssl",
        "The leaf is an X.509 version 1 certificate.",
        certificate="version-1",
        expected=from_tls10(),
        why="A leaf needs no extension; its name is in the CN.",
    ),
    Case(
        "self-signed",
        "nginx",
        "The certificate is signed by itself.",
        certificate="self-signed",
        expected=from_tls10("phone: chain.self-signed", "phone: chain.self-signed"),
        why="It is on no tab; an exception or provisioning would cure it.",
    ),
    Case(
        "leaf-as-issuer",
        "openssl",
        "A server certificate signed another one.",
        certificate="leaf-as-issuer",
        expected=from_tls10("phone: chain.issuer-not-ca", "phone: chain.issuer-not-ca"),
        why="It says in basicConstraints that it is no CA.",
    ),
    Case(
        "unknown-ca",
        "haproxy",
        "Signed by a root that no phone knows.",
        certificate="unknown-ca",
        expected=from_tls10("phone: chain.untrusted", "phone: chain.untrusted"),
        why="The path ends at a root that is on no tab.",
    ),
    Case(
        "cross-signed",
        "nginx",
        "Under a new root that phones do not know, cross-signed by the one they do.",
        certificate="cross-signed",
        expected=from_tls10(),
        why="The path over the cross-sign ends at a known root; the check warns.",
    ),
    Case(
        "path-too-long",
        "openssl",
        "A CA with path length 0 signed another CA.",
        certificate="path-too-long",
        expected=from_tls10("phone: chain.path-length", "phone: chain.path-length"),
        why="The first CA's path length is 0.",
    ),
    Case(
        "forged",
        "openssl",
        "The issuer's name is right, and the signature is another key's.",
        certificate="forged",
        expected=from_tls10("phone: chain.signature", "phone: chain.signature"),
        why="The signature does not verify with the key of the issuer that is named.",
    ),
    Case(
        "clients-only",
        "nginx",
        "The certificate's extendedKeyUsage allows clients only.",
        certificate="clients-only",
        expected=from_tls10("phone: chain.purpose", "phone: chain.purpose"),
        why="serverAuth is not among the purposes.",
    ),
    Case(
        "tls13-only",
        "nginx",
        "Speaks TLS 1.3 only.",
        speech=Speech("1.3"),
        expected=same_for_all("server: tls.version", tripledes="server: tls.suite"),
        why="No phone of the matrix speaks TLS 1.3.",
    ),
    Case(
        "tls12-only",
        "openssl",
        "Speaks TLS 1.2 only.",
        speech=Speech("1.2", "1.2"),
        expected=from_tls12(),
        why="TLS 1.0 phones get the alert protocol_version.",
    ),
    Case(
        "tls10-only",
        "openssl",
        "Speaks TLS 1.0 only.",
        speech=Speech("1.0", "1.0"),
        expected=from_tls10(),
    ),
    Case(
        "cbc-only",
        "openssl",
        "Has AES-CBC suites only.",
        speech=Speech(
            suites="AES128-SHA:AES256-SHA:ECDHE-RSA-AES128-SHA:@SECLEVEL=0",
            highest="1.2",
        ),
        expected=from_tls10(),
    ),
    Case(
        "gcm-only",
        "openssl",
        "Has AES-GCM suites with ECDHE only.",
        speech=Speech(
            "1.2",
            "1.2",
            suites="ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384",
        ),
        expected=from_tls12(),
    ),
    Case(
        "gcm-256-only",
        "openssl",
        "Has one suite, ECDHE with AES-256-GCM.",
        speech=Speech("1.2", "1.2", suites="ECDHE-RSA-AES256-GCM-SHA384"),
        expected=from_tls12(),
        why="In the matrix from 8.7.5.35 for the D715 on.",
    ),
    Case(
        "chacha-only",
        "openssl",
        "Has one suite, ECDHE with ChaCha20-Poly1305.",
        speech=Speech("1.2", "1.2", suites="ECDHE-RSA-CHACHA20-POLY1305"),
        expected=same_for_all(
            "server: tls.suite",
            tls10="server: tls.version",
            tls10_short="server: tls.version",
        ),
        why="No phone of the matrix has ChaCha20.",
    ),
    Case(
        "rsa-key-exchange",
        "openssl",
        "Has RSA key exchange only: no forward secrecy.",
        speech=Speech(suites="kRSA:!aNULL:!eNULL:@SECLEVEL=0", highest="1.2"),
        expected=from_tls10(),
    ),
    Case(
        "dh-1024",
        "openssl",
        "Has DHE only, with a prime of 1024 bits.",
        speech=Speech(suites="kDHE:!aNULL:@SECLEVEL=0", highest="1.2", dh_bits=1024),
        expected=from_tls10(),
        why="Taken, with a warning: RFC 9325 wants 2048 bits.",
    ),
    Case(
        "dh-2048",
        "openssl",
        "Has DHE only, with a prime of 2048 bits.",
        speech=Speech(suites="kDHE:!aNULL:@SECLEVEL=0", highest="1.2", dh_bits=2048),
        expected=from_tls10(),
    ),
    Case(
        "null-suite",
        "openssl",
        "Has suites that do not encrypt.",
        speech=Speech(suites="eNULL:!aNULL:@SECLEVEL=0", highest="1.2"),
        expected=same_for_all(
            "server: tls.suite", tripledes="accepted", tls10="accepted"
        ),
        why="Old firmware offers NULL suites; the check warns.",
    ),
    Case(
        "anonymous",
        "openssl",
        "Has suites without a certificate.",
        speech=Speech(suites="ADH:AECDH:@SECLEVEL=0", highest="1.2", dh_bits=2048),
        expected=same_for_all(
            "server: tls.suite", tls10="accepted", tls10_short="accepted"
        ),
        why=(
            "8.7.5.x offers anonymous suites and, without server authentication, "
            "takes them; the check warns."
        ),
    ),
    Case(
        "asks-right-ca",
        "openssl",
        "Demands a client certificate and names the phones' authorities.",
        speech=Speech(highest="1.2", clients="right"),
        expected=from_tls10(),
        why=(
            "The phone's certificate, of its generation, is taken and the request "
            "answered."
        ),
    ),
    Case(
        "asks-wrong-ca",
        "openssl",
        "Demands another certificate, and refuses in the handshake.",
        speech=Speech(highest="1.2", clients="wrong"),
        expected=same_for_all(
            "server: client.refused",
            tripledes="server: tls.suite",
            v89_strict="server: client.refused",
        ),
        why=(
            "The server's alert is unknown_ca; a phone that refuses first never "
            "sees it."
        ),
    ),
    Case(
        "asks-without-names",
        "openssl",
        "Demands a client certificate and names no authority.",
        speech=Speech(highest="1.2", clients="unnamed"),
        expected=from_tls10(),
    ),
    Case(
        "asks-nginx",
        "nginx",
        "nginx that demands the phones' certificate.",
        speech=Speech(clients="right"),
        expected=from_tls10(),
    ),
    Case(
        "asks-late",
        "nginx",
        "nginx demands another certificate: the handshake ends well, then HTTP 400.",
        speech=Speech(clients="wrong"),
        expected=same_for_all(
            "server: client.refused",
            tripledes="server: tls.suite",
            v89_strict="server: client.refused",
        ),
        why="A handshake that ended well says nothing: the refusal is in HTTP.",
    ),
    Case(
        "asks-haproxy",
        "haproxy",
        "HAProxy that demands another certificate, and refuses in the handshake.",
        speech=Speech(clients="wrong"),
        expected=same_for_all(
            "server: client.refused",
            tripledes="server: tls.suite",
            v89_strict="server: client.refused",
        ),
        why="The server's alert is unknown_ca.",
    ),
    Case(
        "asks-sip",
        "kamailio",
        "Kamailio that demands the phones' certificate.",
        speech=Speech(clients="right"),
        expected=from_tls10(),
    ),
    Case(
        "asks-wrong-sip",
        "kamailio",
        "Kamailio that demands another certificate.",
        speech=Speech(clients="wrong"),
        expected=same_for_all(
            "server: client.refused",
            tripledes="server: tls.suite",
            v89_strict="server: client.refused",
        ),
        why="The server's alert is unknown_ca.",
    ),
    Case(
        "tls13-asks",
        "openssl",
        "TLS 1.3 only, demanding another certificate: it refuses after the handshake.",
        speech=Speech("1.3", clients="wrong"),
        expected=same_for_all("server: tls.version", tripledes="server: tls.suite"),
        why=(
            "Phones end at the version; a TLS 1.3 client would see the refusal "
            "after its handshake."
        ),
    ),
    Case(
        "old-3des",
        "linekey",
        "Picks 3DES with TLS 1.0, as a server of 2005 would.",
        talk="3des",
        expected=same_for_all(
            "accepted",
            tls10_short="phone: tls.suite-offered",
            v10="phone: tls.suite-offered",
            v89="phone: tls.suite-offered",
            v89_strict="phone: tls.suite-offered",
        ),
        why=(
            "By the matrix the oldest firmware and the TLS 1.2 firmware 8.7.5 "
            "offer it; no library can finish it."
        ),
    ),
    Case(
        "old-rc4",
        "linekey",
        "Picks RC4 with TLS 1.0.",
        talk="rc4",
        expected=same_for_all(
            "phone: tls.suite-offered",
            tripledes="accepted",
            tls10="accepted",
            v89_strict="phone: tls.suite-offered",
        ),
        why="By the matrix 8.7.3 and 8.7.5.35 offer it; no library can finish it.",
    ),
    Case(
        "unoffered-suite",
        "linekey",
        "Picks a suite (SEED) that no phone offered.",
        talk="unoffered",
        expected=same_for_all(
            "phone: tls.suite-offered",
            v89_strict="phone: tls.suite-offered",
        ),
        why="A client must refuse what it did not offer (RFC 5246 §7.4.1.3).",
    ),
    Case(
        "plain-http",
        "linekey",
        "Speaks HTTP without TLS.",
        talk="plain-http",
        expected=same_for_all("unreachable: reach.tls"),
    ),
    Case(
        "closes",
        "linekey",
        "Closes after the hello without a word.",
        talk="closes",
        expected=same_for_all("unreachable: reach.tls"),
        why="Not one phone is answered, so it is no refusal of a phone.",
    ),
    Case(
        "silent",
        "linekey",
        "Takes the hello and says nothing.",
        talk="silent",
        expected=same_for_all("unreachable: reach.time"),
    ),
    Case(
        "malformed",
        "linekey",
        "Answers with a ServerHello that breaks off.",
        talk="malformed",
        expected=same_for_all("unreachable: reach.malformed"),
    ),
    Case(
        "unknown-name",
        "linekey",
        "Answers the hello with the alert unrecognized_name.",
        talk="unknown-name",
        expected=same_for_all("server: tls.alert"),
        why="The server knows no such name (RFC 6066 §3).",
    ),
)
"""All of them, in the order of a visit."""

BY_NAME: Final[Mapping[str, Case]] = {case.name: case for case in CASES}
"""The same by name."""
