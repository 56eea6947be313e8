"""Expected dates are what is publicly known of these roots, not read from the file."""

import re
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest

from linekey.catalog import roots
from linekey.errors import InputError

ISRG_X1 = "96bcec06264976f37460779acf28c5a7cfe8a3c0aae11a8ffcee05c0bddf08c6"
DST_X3 = "0687260331a72403d909f105e69bcf0d32e1bd2493ffc6d9206d11bcd6770739"
GTE = "a53125188d2110aa964b02c7b7c6da3203170894e5fb71fffb6667d5e6810a36"


@pytest.mark.parametrize(
    ("fingerprint", "when", "there"),
    [
        (ISRG_X1, date(2016, 8, 7), False),
        (ISRG_X1, date(2016, 8, 8), True),
        (ISRG_X1, date(2018, 5, 1), True),
        (ISRG_X1, date(2026, 10, 18), True),
        (DST_X3, date(2016, 1, 1), True),
        (DST_X3, date(2021, 9, 29), True),  # expired the next day, and stayed
        (DST_X3, date(2021, 12, 31), True),
        (DST_X3, date(2022, 5, 18), False),
        (GTE, date(2014, 6, 1), True),  # RSA-1024
        (GTE, date(2015, 9, 6), False),
    ],
)
def test_a_known_root_comes_and_goes(
    fingerprint: str, when: date, *, there: bool
) -> None:
    listed = {root.sha256 for root in roots.roots_at(when)}
    assert (fingerprint in listed) is there
    history = roots.history_of(fingerprint)
    assert history is not None
    assert history.is_in_list_at(when) is there


def test_the_newest_list_is_that_of_the_certifi_it_was_built_from() -> None:
    """The installed certifi is another road to the same list.

    Only the roots that certifi itself lists, by the fingerprint in its comment above each:
    a machine behind a proxy that reads TLS may have appended the proxy's CA to the file.
    """
    import certifi
    from certifi import __version__ as version

    from linekey.certs.pem import parse_certificates

    newest = roots.releases()[-1]
    released = date(*(int(part) for part in version.split(".")[:3]))
    if released != newest.date:
        pytest.skip(f"certifi {version} installed, history ends with {newest.version}")
    text = Path(certifi.where()).read_text("utf-8")
    own = re.findall(r"^# SHA256 Fingerprint: (.*)$", text, re.MULTILINE)
    fingerprints = {fingerprint.replace(":", "") for fingerprint in own}
    installed = {root.sha256 for root in parse_certificates(text.encode())}
    assert len(fingerprints) > 100
    assert fingerprints <= installed
    assert {root.sha256 for root in roots.roots_at(newest.date)} == fingerprints


def test_a_date_between_releases_has_the_older_list() -> None:
    first, second = roots.releases()[:2]
    assert first.date < date(2014, 12, 1) < second.date
    assert roots.roots_at(date(2014, 12, 1)) == roots.roots_at(first.date)
    assert roots.release_at(date(2014, 12, 1)) == first


def test_before_the_history_nothing_is_claimed() -> None:
    with pytest.raises(InputError, match="no list of roots is known for 2012-01-01"):
        roots.roots_at(date(2012, 1, 1))


def test_after_the_history_the_newest_list_counts() -> None:
    newest = roots.releases()[-1].date
    assert roots.roots_at(date(2040, 1, 1)) == roots.roots_at(newest)


def test_releases_are_in_order_and_no_day_is_twice() -> None:
    dates = [release.date for release in roots.releases()]
    assert dates == sorted(set(dates))
    assert len(dates) > 50


def test_spans_do_not_overlap_and_say_when_a_root_was_gone() -> None:
    for release in roots.releases():
        for root in roots.roots_at(release.date):
            history = roots.history_of(root.sha256)
            assert history is not None
            spans = history.spans
            assert all(s.first <= s.last for s in spans)
            assert all(s.removed_by is None or s.last < s.removed_by for s in spans)
            for one, two in pairwise(spans):
                assert one.removed_by is not None
                assert one.removed_by <= two.first


def test_fingerprints_may_have_colons_and_capitals() -> None:
    spelled = ":".join(ISRG_X1[i : i + 2] for i in range(0, 64, 2)).upper()
    assert roots.history_of(spelled) == roots.history_of(ISRG_X1)
    assert roots.history_of("00" * 32) is None


def test_roots_are_found_by_name() -> None:
    found = {root.certificate.sha256 for root in roots.find_roots("isrg root x1")}
    assert found == {ISRG_X1}
    assert roots.find_roots("no such authority") == ()
