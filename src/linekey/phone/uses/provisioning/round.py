"""One provisioning round: which URL is next, and what the round came to.

Rules: the phone's own two documents first (``phone.urls``), then what they name in
``<setting-files>``, in order; certificates by URL after all documents (SNOM-TLS,
Uploading Server Certificates via Provisioning, H). One URL is fetched at a time, so
that a later document profits from an earlier one. A URL is fetched once a round, and
depth and count are limited, so no set of documents can keep a phone busy for ever.

Another maker's phone asks for several files in turn, some in the place of others, and
applies nothing before all are in (``phone.makers.files``).
"""

from dataclasses import dataclass, replace
from typing import Final, Self

from linekey.phone.document import PhoneDocument
from linekey.phone.state import FetchedDocument, Status
from linekey.phone.urls import redact_url
from linekey.phone.uses.provisioning.events import Fetch
from linekey.words import counted

MAX_DEPTH: Final = 4
"""Documents that name each other; the vendor's container names files, one level. A
limit of linekey's, as the vendor's is not known (L)."""
MAX_DOCUMENTS: Final = 64
MAX_CERTIFICATES: Final = 64
RETRY_FIRST_S: Final = 30.0
RETRY_LAST_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Round:
    """The round that is going on. ``number`` is no other round's."""

    number: int
    documents: tuple[Fetch, ...] = ()
    certificates: tuple[Fetch, ...] = ()
    own_url: str = ""
    """The document that is this phone's alone."""
    waiting: Fetch | None = None
    results: tuple[FetchedDocument, ...] = ()
    """With the URLs as they were asked; ``shown`` is for people."""
    refused: bool = False
    """One end refused the other's certificate, or the server the request."""
    seen: frozenset[str] = frozenset()
    held: tuple[tuple[str, PhoneDocument], ...] = ()
    """Documents that are applied at the end, each with the URL it came from."""

    def with_file(self, fetch: Fetch) -> Self:
        """Queue a file that the phone asks for by itself."""
        queue = (*self.documents, fetch)
        return replace(self, documents=queue, seen=self.seen | {fetch.url})

    def again(self, fetch: Fetch) -> Self:
        """Ask once more for a file that the server did not have."""
        once_more = replace(fetch, tries=fetch.tries - 1)
        return replace(self, documents=(once_more, *self.documents))

    def without(self, kinds: frozenset[str]) -> Self:
        """Leave out files of these kinds that were still to be fetched."""
        left = tuple(f for f in self.documents if not f.part or f.part not in kinds)
        return replace(self, documents=left)

    def holding(self, url: str, document: PhoneDocument) -> Self:
        """Keep a document until the round is over."""
        return replace(self, held=(*self.held, (url, document)))

    def with_document(self, url: str, depth: int) -> tuple[Self, str]:
        """Queue a document; a clause why not, else empty."""
        if depth > MAX_DEPTH:
            return self, f"documents name each other more than {MAX_DEPTH} deep"
        if url in self.seen:
            return self, "it was fetched in this round already"
        if len(self.seen) >= MAX_DOCUMENTS:
            return self, f"a round fetches {MAX_DOCUMENTS} documents at most"
        queue = (*self.documents, Fetch(url, "document", self.number, depth))
        return replace(self, documents=queue, seen=self.seen | {url}), ""

    def with_certificate(self, url: str) -> tuple[Self, str]:
        """Queue a certificate for the round's end; a clause why not, else empty."""
        if any(fetch.url == url for fetch in self.certificates):
            return self, "it is named in this round already"
        if len(self.certificates) >= MAX_CERTIFICATES:
            return self, f"a round fetches {MAX_CERTIFICATES} certificates at most"
        queue = (*self.certificates, Fetch(url, "certificate", self.number))
        return replace(self, certificates=queue), ""

    def with_result(self, result: FetchedDocument) -> Self:
        """Note what came of a document."""
        return replace(self, results=(*self.results, result))

    def next(self) -> Self:
        """Wait for the next URL; for none at the end."""
        if self.documents:
            first, *rest = self.documents
            return replace(self, waiting=first, documents=tuple(rest))
        if self.certificates:
            first, *rest = self.certificates
            return replace(self, waiting=first, certificates=tuple(rest))
        return replace(self, waiting=None)

    @property
    def left(self) -> int:
        """How many URLs are still to be fetched."""
        return len(self.documents) + len(self.certificates)

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


@dataclass(frozen=True, slots=True)
class Rounds:
    """Part of the state: provisioning since power-on."""

    going_on: Round | None = None
    failures: int = 0
    """Rounds in a row that were not good."""


def retry_after_s(failures: int, spread: float) -> float:
    """Seconds until the next try: growing, and spread over the fleet.

    ``failures`` counts from 1; ``spread`` is 0 to 1 and differs by phone, so that a
    fleet does not come back in one moment, as after a power cut.
    """
    base = min(RETRY_FIRST_S * 2 ** min(failures - 1, 10), RETRY_LAST_S)
    return float(base * (0.75 + 0.5 * spread))
