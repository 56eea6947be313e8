"""Shared by all tests: foreign peers are there, or said to be missing.

A test that needs one is marked ``@pytest.mark.peer("nginx")``. Without the program it
skips and says what is missing; with ``CI=true`` that is a failure, so a green run on
the build machine means that every peer was met.

With ``CI=true`` Hypothesis draws the same cases each time, so that a run is about the
change that is built; elsewhere it goes on looking for new ones.
"""

import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from linekey.cli.on_use import bring

# No deadline for a case: how fast it is, a busy machine decides (bench/ measures).
settings.register_profile("any", deadline=None)
settings.load_profile("any")
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
if os.environ.get("CI") == "true":
    settings.load_profile("ci")

# A test that names no state folder fails: the user's own is no place for tests.
os.environ["XDG_STATE_HOME"] = "/dev/null/no-state-folder-in-tests"

# Program looked for, and what installs it (make peers).
PEERS = {
    "nginx": ["nginx"],
    "haproxy": ["haproxy"],
    "apache": ["apache2"],
    "kamailio": ["kamailio"],
    "slapd": ["slapd"],
    "freeradius": ["freeradius"],
    "eapol_test": ["eapol_test"],
    "openssl": ["openssl"],
    "curl": ["curl"],
    "chromium": ["chromium"],
    "prometheus": ["prometheus", "promtool"],
    "bash": ["bash"],
    "zsh": ["zsh"],
    "fish": ["fish"],
    "man": ["man"],
    "mandoc": ["mandoc"],
    "postgres": ["postgres", "initdb"],
    "faketime": ["faketime"],
    "certbot": ["certbot"],
    "pebble": ["pebble", "pebble-challtestsrv"],
    "network namespaces": ["unshare", "ip"],
    "systemd": ["systemd", "systemctl", "unshare", "nsenter"],
}
PROVIDER = Path(__file__).parents[1] / ".cache" / "peers" / "oidc-provider"
"""npm's oidc-provider, with the program that runs it (tests/live/oidc)."""
PEERS["oidc-provider"] = ["node", str(PROVIDER / "provider.mjs")]
LINES = ("1.0.1u", "1.0.2o", "1.0.2s", "1.1.1k")
"""OpenSSL of the phones' age, as programs of Node.js that have it linked in; peers by
the name ``OpenSSL 1.0.1u``."""
LINES_AT = Path(__file__).parents[1] / ".cache" / "peers"
PEERS |= {f"OpenSSL {line}": [str(LINES_AT / f"openssl-{line}/node")] for line in LINES}
PLACES = os.pathsep.join(
    [os.environ.get("PATH", ""), "/usr/sbin", "/usr/lib/postgresql/15/bin",
     "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/17/bin"]
)  # fmt: skip


def peer_path(program: str) -> str | None:
    """Where a foreign program lies; Debian keeps daemons outside a user's PATH."""
    return shutil.which(program, path=PLACES)


@pytest.fixture(scope="session", autouse=True)
def _brought() -> None:
    """Tests call the verbs' functions themselves, which no command does before."""
    bring()


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("peer"):
        for name in mark.args:
            if name.startswith("OpenSSL ") and platform.machine() != "x86_64":
                pytest.skip(f"{name} is a program for x86-64 alone")
            absent = [p for p in PEERS[name] if peer_path(p) is None]
            if absent:
                message = (
                    f"{name} is not installed ({', '.join(absent)}); run: make peers"
                )
                if os.environ.get("CI") == "true":
                    pytest.fail(message, pytrace=False)
                pytest.skip(message)


def counted(terminalreporter: pytest.TerminalReporter) -> Iterator[str]:
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "counted" and getattr(report, "when", "") == "call":
                    yield str(value)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests counted: ``record_property("counted", "100,000 cases …")``."""
    for line in counted(terminalreporter):
        terminalreporter.write_line(line)
