"""linekey: TLS for IP phones, both ends.

The packages, and the direction in which they may import each other, are told in
ARCHITECTURE.md; ``tests/unit/test_house.py`` holds it.
"""

from importlib.metadata import version

__version__ = version("linekey")
