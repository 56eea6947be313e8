"""What one handshake with a hostile certificate chain costs the server.

    python -m bench.hostile [--rounds 15] [--no-write]

Both ends in one process and one thread, TLS 1.2: the server's engine with the gate as
``linekey serve`` has it, and a client that shows the chain. What is measured is the CPU
time of the server's engine from the hello to the alert or to the end: so long its event
loop stands still for this one stranger, in pieces. In brackets is the verdict alone.
The chains are those of ``tests/hostile.py``, whose signature checks the tests count.
Target: no chain costs more than ten handshakes of a phone seen for the first time.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from tests.hostile import costly_rsa, crossing, extended, many_attributes

from bench.server_vs_nginx import cpu_model, say
from linekey.catalog.models import Generation
from linekey.certs.build import Issuer, new_key
from linekey.certs.certificate import Certificate
from linekey.lab import vendor_ca
from linekey.mac import Mac
from linekey.server.gate import Gate
from linekey.tls.engine import (
    Accept,
    ClientEngine,
    Identity,
    PeerChain,
    Refuse,
    ServerEngine,
    client_context,
    server_context,
)
from linekey.tls.policy import MODERN
from linekey.tls.versions import Version

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "explanation" / "performance-chains.md"
TARGET = 10
"""Handshakes of a new phone that the dearest chain may cost."""


@dataclass
class Cost:
    """Milliseconds of whole handshakes, and of their verdicts alone."""

    handshakes: list[float] = field(default_factory=list)
    verdicts: list[float] = field(default_factory=list)

    @property
    def text(self) -> str:
        whole = statistics.median(self.handshakes)
        alone = statistics.median(self.verdicts or [0.0])
        return f"{whole:.2f} ms ({alone:.2f}) | {max(self.handshakes):.2f} ms"


class Bench:
    """A server's contexts and a vendor's CA; phones and strangers knock."""

    def __init__(self) -> None:
        self.key = new_key("rsa", 2048)
        made = [vendor_ca.new_vendor_key(Generation.SHA256) for _ in range(2)]
        root = vendor_ca.issue_root(Generation.SHA256, made[0])
        inner = vendor_ca.issue_intermediate(
            Generation.SHA256, made[1], Issuer(root, made[0])
        )
        self.roots, self.issuer = [root], Issuer(inner, made[1])
        self.server = vendor_ca.issue_device(
            Mac("000413AABB00"), Generation.SHA256, self.key, self.issuer
        )

    def phone(self, number: int) -> tuple[Certificate, ...]:
        leaf = vendor_ca.issue_device(
            Mac(f"000413{number:06X}"), Generation.SHA256, self.key, self.issuer
        )
        return leaf, self.issuer.certificate

    def measure(
        self, chains: Callable[[int], Sequence[Certificate]], rounds: int
    ) -> Cost:
        """Knock so often; ``chains`` gives the one of each round."""
        cost = Cost()
        gate = Gate(lambda: datetime.now(UTC))
        gate.trust(self.roots, [self.issuer.certificate], 1)

        def verify(peer: PeerChain) -> Accept | Refuse:
            began = time.thread_time()
            answer = gate.verify(peer)
            cost.verdicts.append((time.thread_time() - began) * 1000)
            return answer

        context = server_context(
            Identity((self.server,), self.key), MODERN, verify=verify,
            roots=self.roots, openssl_proves=False,
        )  # fmt: skip
        for number in range(rounds + 1):
            identity = Identity(tuple(chains(number)), self.key)
            client = client_context(
                verify=lambda _: Accept(), max_version=Version.TLS1_2, identity=identity
            )
            near, far = ClientEngine(client), ServerEngine(context)
            took = 0.0
            while output := near.take_output():
                began = time.thread_time()
                far.receive(output)
                answer = far.take_output()
                took += time.thread_time() - began
                near.receive(answer)
            cost.handshakes.append(took * 1000)
        # The first one fills what any server has filled; all show other certificates.
        return Cost(cost.handshakes[1:], cost.verdicts[1:])


def usual_rsa(seed: int) -> rsa.RSAPublicKey:
    """A modulus of 3,072 bits and the exponent 65537."""
    modulus = costly_rsa(3072, 3000 + seed).public_numbers().n
    return rsa.RSAPublicNumbers(65537, modulus).public_key()


def cases(bench: Bench) -> dict[str, Callable[[int], Sequence[Certificate]]]:
    own = bench.key.public_key()
    costly = [costly_rsa(3072, 3071 - n) for n in range(9)]
    usual = [usual_rsa(n) for n in range(9)]
    small = new_key("ec", "secp256r1").public_key()
    known = bench.phone(1)
    return {
        "a phone, seen for the first time": bench.phone,
        "a phone, seen before": lambda _: known,
        "nine like-named CAs, RSA-3072 with exponents of 3,071 bits": (
            lambda n: crossing(costly, leaf_key=own, seed=n)
        ),
        "nine with the real CA's name, RSA-3072": lambda n: crossing(
            usual, leaf_key=own, like=bench.issuer.certificate, seed=n
        ),
        "95 certificates": lambda n: crossing([small] * 95, leaf_key=own, seed=n),
        "190 certificates": lambda n: crossing([small] * 190, leaf_key=own, seed=n),
        "one certificate, its names 90 kB": (
            lambda n: many_attributes(own, 90_000, seed=n)
        ),
        "one certificate of 90 kB, all small extensions": (
            lambda n: extended(own, 90_000, seed=n)
        ),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.hostile")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--no-write", action="store_true")
    given = parser.parse_args()
    bench = Bench()
    found = {}
    for name, chains in cases(bench).items():
        found[name] = bench.measure(chains, given.rounds)
        say(f"{name}: {found[name].text}")
    costs = [statistics.median(cost.handshakes) for cost in found.values()]
    if not given.no_write:
        rows = [f"| {name} | {cost.text} |" for name, cost in found.items()]
        PAGE.write_text(page(rows, given.rounds), encoding="utf-8")
        say(f"written: {PAGE.relative_to(ROOT)}")
    return 0 if max(costs) <= TARGET * costs[0] else 1


def page(rows: list[str], rounds: int) -> str:
    return "\n".join([
        "# What a hostile certificate chain costs",
        "",
        "<!-- Made by python -m bench.hostile. -->",
        "",
        f"Measured {datetime.now(UTC):%Y-%m-%d} by `python -m bench.hostile`: "
        f"{cpu_model()}, {rounds} handshakes each, TLS 1.2, the server's part alone.",
        "",
        "| the client shows | whole handshake, median (of it the verdict) | longest |",
        "|---|---|---|",
        *rows,
        "",
        "What is refused ends at the client's certificate: the key exchange, most of a",
        "phone's handshake, is not computed. Why these costs are bounded is in",
        "[decision 0006](../decisions/0006-paths-among-namesakes.md).",
        "",
    ])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
