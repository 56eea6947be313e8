"""Work on many values."""

import gc

from linekey.cli.many import many_values


def test_collections_are_as_before_afterwards() -> None:
    before = gc.get_threshold()
    with many_values():
        assert gc.get_threshold() > before
    assert gc.get_threshold() == before
