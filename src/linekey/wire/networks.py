"""Networks of addresses that a setting lists, and whether an address is in one."""

import ipaddress
from collections.abc import Sequence

from linekey.errors import InputError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Read addresses and networks. Raises InputError for what is neither."""
    networks: list[Network] = []
    for text in texts:
        try:
            networks.append(_unmapped(ipaddress.ip_network(text.strip(), strict=False)))
        except ValueError:
            raise InputError(
                f"not an address or a network: {text!r}",
                hint="give the proxy's address, such as 192.0.2.10 or 10.0.0.0/8",
            ) from None
    return tuple(networks)


def _unmapped(network: Network) -> Network:
    """The IPv4 network that an IPv4-mapped one (RFC 4291 §2.5.5.2) stands for."""
    mapped = network.network_address
    if (
        not isinstance(mapped, ipaddress.IPv6Address)
        or mapped.ipv4_mapped is None
        or network.prefixlen < 96
    ):
        return network
    return ipaddress.IPv4Network((mapped.ipv4_mapped, network.prefixlen - 96))


def spelled(address: Address) -> str:
    """Return an address as RFC 5952 spells it, an IPv4-mapped one with dots (§5).

    Python's own ``str`` does so since 3.13, and wrote ``::ffff:c000:207`` before.
    """
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return f"::ffff:{address.ipv4_mapped}"
    return str(address)


def is_in(host: str, networks: Sequence[Network]) -> bool:
    """Whether an address lies in one of the networks; no for what is no address."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in networks)
