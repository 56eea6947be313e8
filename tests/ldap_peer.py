"""LDAP by others' code: pyasn1 with the messages that pyasn1-modules has of RFC 2251.

What the phone writes is read here, and what it reads is written here, by nothing of
linekey's. Filters are read three deep, which is as far as these modules go.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pyasn1.codec.ber import decoder, encoder
from pyasn1.codec.native.encoder import encode as plain
from pyasn1_modules import rfc2251


def read_messages(data: bytes) -> list[tuple[int, str, Any]]:
    """Every message in ``data``: its id, the operation's name, its parts by name."""
    found = []
    while data:
        message, data = decoder.decode(data, asn1Spec=rfc2251.LDAPMessage())
        operation = message["protocolOp"]
        found.append(
            (
                int(message["messageID"]),
                operation.getName(),
                plain(operation.getComponent()),
            )
        )
    return found


def read_filter(data: bytes) -> Any:
    """A filter alone: ``{kind: what it holds}``."""
    found, rest = decoder.decode(data, asn1Spec=rfc2251.Filter())
    assert not rest
    return plain(found)


def write_result(number: int, name: str, code: int, text: str = "") -> bytes:
    """An LDAPResult: ``bindResponse`` or ``searchResDone``, with any result code."""
    message = rfc2251.LDAPMessage()
    message["messageID"] = number
    operation = message["protocolOp"][name]
    operation["resultCode"] = code
    operation["matchedDN"] = ""
    operation["errorMessage"] = text
    return encoder.encode(message)


def write_entry(
    number: int, dn: str, attributes: Mapping[str, Sequence[bytes]]
) -> bytes:
    """A search's entry."""
    message = rfc2251.LDAPMessage()
    message["messageID"] = number
    operation = message["protocolOp"]["searchResEntry"]
    operation["objectName"] = dn
    operation["attributes"].clear()
    for place, (name, values) in enumerate(attributes.items()):
        operation["attributes"][place]["type"] = name
        operation["attributes"][place]["vals"].clear()
        for index, value in enumerate(values):
            operation["attributes"][place]["vals"][index] = value
    return encoder.encode(message)


def write_reference(number: int, url: str) -> bytes:
    """A part of the directory that another server has."""
    message = rfc2251.LDAPMessage()
    message["messageID"] = number
    message["protocolOp"]["searchResRef"].extend([url])
    return encoder.encode(message)
