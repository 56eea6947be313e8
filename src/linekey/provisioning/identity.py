"""What a certificate chain proves: this very phone, a vendor only, or nothing.

The chain a phone sent is proved first (``certs.path``), against the vendors'
authorities that the operator trusts. Only the proved path counts after that: the rule
that says where the MAC is belongs to the authority that really signed the leaf, and is
found by its name; what else the phone sent is ignored.

    leaf <- issuing authority <- … <- trust anchor
    |       |
    |       its rule: the MAC is the CN, or the ST, or nowhere
    exactly 12 hex digits there, read from the RDNs of the DER

Every certificate above the leaf must say that it is an authority (basicConstraints
CA:TRUE), also where OpenSSL would let a version 1 certificate or a keyUsage pass. A
rule's vendor must be the trust anchor's, where that is known, so that one vendor's
authority cannot name itself after another's.

Rule: validity is not judged here. ``not_before`` and ``not_after`` are the narrowest
of the path, and ``authorize`` holds them against its own ``now``; so an identity is a
function of the chain and the trust alone, and may be kept.

Sources: facts vendors.md for the rules, with the confidence each has there; OpenSSL's
check_ca for what it would let pass.
"""
