"""linekey: TLS for IP phones, both ends.

The packages, and the direction in which they may import each other, are told in
ARCHITECTURE.md; ``tests/unit/test_house.py`` holds it.
"""

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    # Looked up when it is asked for: the look-up takes longer than all of a short help.
    if name == "__version__":
        from importlib.metadata import version

        return version("linekey")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
