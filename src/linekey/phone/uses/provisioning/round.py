"""One provisioning round: which URL is next, and what the round came to.

Rules: the phone's own two documents first (``phone.urls``), then what they name in
``<setting-files>``, in order; certificates by URL after all documents (SNOM-TLS,
Uploading Server Certificates via Provisioning, H). One URL is fetched at a time, so
that a later document profits from an earlier one. A URL is fetched once a round, and
depth and count are limited, so no set of documents can keep a phone busy for ever.
"""

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Final

from linekey.phone.events import Fetch
from linekey.phone.state import FetchedDocument, Status
from linekey.phone.urls import redact_url
from linekey.phone.wording import counted

MAX_DEPTH: Final = 4
"""Documents that name each other; the vendor's container names files, one level. A
limit of linekey's, as the vendor's is not known (L)."""
MAX_DOCUMENTS: Final = 64
MAX_CERTIFICATES: Final = 64
RETRY_FIRST_S: Final = 30.0
RETRY_LAST_S: Final = 3600.0


@dataclass(slots=True)
class Round:
    """The round that is going on. ``number`` counts rounds since power-on."""

    number: int
    documents: deque[Fetch] = field(default_factory=deque)
    certificates: deque[Fetch] = field(default_factory=deque)
    own_url: str = ""
    """The document that is this phone's alone."""
    waiting: Fetch | None = None
    results: list[FetchedDocument] = field(default_factory=list)
    """With the URLs as they were asked; ``shown`` is for people."""
    refused: bool = False
    """One end refused the other's certificate, or the server the request."""
    seen: set[str] = field(default_factory=set)

    def add_document(self, url: str, depth: int) -> str:
        """Queue a document; a clause why not, else empty."""
        if depth > MAX_DEPTH:
            return f"documents name each other more than {MAX_DEPTH} deep"
        if url in self.seen:
            return "it was fetched in this round already"
        if len(self.seen) >= MAX_DOCUMENTS:
            return f"a round fetches {MAX_DOCUMENTS} documents at most"
        self.seen.add(url)
        self.documents.append(Fetch(url, "document", self.number, depth))
        return ""

    def add_certificate(self, url: str) -> str:
        """Queue a certificate for the round's end; a clause why not, else empty."""
        if any(fetch.url == url for fetch in self.certificates):
            return "it is named in this round already"
        if len(self.certificates) >= MAX_CERTIFICATES:
            return f"a round fetches {MAX_CERTIFICATES} certificates at most"
        self.certificates.append(Fetch(url, "certificate", self.number))
        return ""

    def next(self) -> Fetch | None:
        """Take the next URL; None at the end."""
        queue = self.documents or self.certificates
        self.waiting = queue.popleft() if queue else None
        return self.waiting

    def give_up(self) -> int:
        """Drop what is left; how many that was."""
        left = len(self.documents) + len(self.certificates)
        self.documents.clear()
        self.certificates.clear()
        return left

    def shown(self) -> tuple[FetchedDocument, ...]:
        """The results without what is secret in their URLs."""
        return tuple(replace(r, url=redact_url(r.url)) for r in self.results)

    def outcome(self) -> tuple[Status, str]:
        """What the round came to, with a clause.

        Provisioned: the phone's own document was applied, or another one and nobody
        refused anything (a server need not have a document for each phone). A document
        that came and could not be read is told of all the same.
        """
        applied = [r for r in self.results if r.applied]
        broken = [r for r in self.results if not r.applied and r.status == 200]
        if any(r.url == self.own_url for r in applied):
            done = f"{counted(len(applied), 'document')} applied"
            for result in broken[:1]:
                done += f"; {redact_url(result.url)} was not: {result.reason}"
            return Status.PROVISIONED, done
        failed = next((r for r in reversed(self.results) if not r.applied), None)
        reason = failed.reason if failed else "there was nothing to fetch"
        if self.refused:
            refused = next((r for r in self.results if r.status in (401, 403)), None)
            return Status.REFUSED, (refused or failed or self.results[-1]).reason
        if applied:
            done = counted(len(applied), "document")
            return Status.PROVISIONED, f"{done} applied; {reason}"
        return Status.FAILED, reason


def retry_after_s(failures: int, spread: float) -> float:
    """Seconds until the next try: growing, and spread over the fleet.

    ``failures`` counts from 1; ``spread`` is 0 to 1 and differs by phone, so that a
    fleet does not come back in one moment, as after a power cut.
    """
    base = min(RETRY_FIRST_S * 2 ** min(failures - 1, 10), RETRY_LAST_S)
    return float(base * (0.75 + 0.5 * spread))
