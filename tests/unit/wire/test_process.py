"""What a process with thousands of connections sets up."""

import ctypes
import gc
import subprocess
import sys

import pytest

from linekey.wire.process import settle_garbage

_FREED_SMALL = """
import ctypes, sys
from linekey.wire.process import settle_garbage
class Counts(ctypes.Structure):  # malloc.h: struct mallinfo2
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    ).split()]
libc = ctypes.CDLL(None)
libc.mallinfo2.restype, libc.malloc.restype = Counts, ctypes.c_void_p
if sys.argv[1] == "settled":
    settle_garbage()
pieces = [libc.malloc(64) for _ in range(1000)]
for piece in pieces:
    libc.free(ctypes.c_void_p(piece))
print(libc.mallinfo2().smblks)
"""


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="only glibc 2.33 tells"
)
def test_small_pieces_of_freed_memory_are_not_kept_apart() -> None:
    kept = [
        int(subprocess.check_output([sys.executable, "-c", _FREED_SMALL, how]))
        for how in ("as it is", "settled")
    ]
    assert kept[0] > 100
    assert kept[1] == 0


def test_where_malloc_has_no_such_call_all_else_is_settled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Other:
        """Another C library."""

    before = gc.get_threshold()
    monkeypatch.setattr("ctypes.CDLL", lambda _: Other())
    try:
        settle_garbage()
        assert gc.get_threshold()[0] > before[0]
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
