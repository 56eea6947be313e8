"""Who may join, and that no phone runs twice."""

from itertools import product

import pytest

from linekey.load.joined import Joined, refusal, share


def workers(*digests: str, phones: int = 100) -> list[Joined]:
    return [Joined(f"w{n}", phones, digest) for n, digest in enumerate(digests)]


@pytest.mark.parametrize(
    ("digests", "phones"), [*product(["a", "aa", "aab", "aaaa", "abab"], [1, 7, 40])]
)
def test_every_phone_is_run_once(digests: str, phones: int) -> None:
    joined = workers(*digests)
    runs = [
        (worker.digest, number)
        for worker, part in zip(joined, share(joined, phones), strict=True)
        for number in range(100)[part.first :: part.step][: part.count]
    ]
    assert len(runs) == len(set(runs)) == phones
    assert sum(worker.share for worker in joined) == phones
    assert not any(worker.trouble for worker in joined)


def test_a_table_that_is_too_short_is_named_before_anything_starts() -> None:
    joined = [*workers("a", "a", phones=10), *workers("b", phones=3)]
    share(joined, 15)
    assert [bool(w.trouble) for w in joined] == [False, False, True]
    assert "it has 3 phones of its own, and is to run 5" in joined[2].trouble


def test_other_versions_and_late_workers_are_refused_with_the_cure() -> None:
    said = {"versions": "linekey 1, Locust 2"}
    assert refusal(said, "linekey 1, Locust 2", begun=False) == ""
    other = refusal(said, "linekey 9, Locust 2", begun=False)
    assert "linekey 1, Locust 2" in other
    assert "install the same" in other
    assert "install the same" in refusal({}, "linekey 9", begun=False)
    assert "before it begins" in refusal(said, "linekey 1, Locust 2", begun=True)
