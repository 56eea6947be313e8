"""Imports that wait until a command runs: a help or a completion needs none of them.

    with on_use():
        from linekey.store.devices import Devices

Rule: nothing in such a block is imported before ``bring`` is called, which ``Verb``
does before it runs any command; then each name is what was imported, no stand-in is
left, and modules that are loaded from then on import at once. So such a name may stand
in functions and in their annotations, and not in what is done while the module loads,
nor in what Typer reads of a command (a test looks there for stand-ins). Python 3.15
says the same by ``lazy from … import`` (PEP 810); decision 0027 says why it is wanted.
"""

import builtins
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

_waiting: list[dict[str, Any]] = []
"""The namespaces of modules that hold stand-ins, in the order they were loaded."""
_brought = threading.Event()
"""Whether a command runs."""


class _Later:
    """Stands for one name of a module, or for the module, until it is brought."""

    def __init__(self, module: str, name: str = "") -> None:
        self.module, self.name = module, name

    def __or__(self, _other: object) -> "_Later":
        return self  # in an annotation: Device | None

    __ror__ = __or__

    def bring(self) -> Any:
        if not self.name:
            return __import__(self.module)
        # By the statement's own function: the name may be a module of a package.
        return getattr(__import__(self.module, fromlist=[self.name]), self.name)


class _Names:
    """Stands for a module, of which a ``from … import`` takes names."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> _Later:
        return _Later(self._module, name)


@contextmanager
def on_use() -> Iterator[None]:
    """Have the imports of this block wait for ``bring``, unless that was called.

    They are ``from module import name`` and ``import module``, and no others.
    """
    if _brought.is_set():
        yield
        return
    real = builtins.__import__

    def later(
        name: str,
        names: dict[str, Any],
        _locals: object = None,
        fromlist: Sequence[str] | None = (),
        _level: int = 0,
    ) -> _Names | _Later:
        if "*" in (fromlist or ()) or not (fromlist or "." not in name):
            raise ImportError("in a block of on_use write: from module import name")
        if not any(names is known for known in _waiting):
            _waiting.append(names)
        return _Names(name) if fromlist else _Later(name)

    builtins.__import__ = later  # type: ignore[assignment]
    try:
        yield
    finally:
        builtins.__import__ = real


def bring() -> None:
    """Import what waits, in every module loaded so far. Raises what an import raises.

    Modules that are loaded from now on, by this or later, wait for nothing.
    """
    _brought.set()
    while _waiting:
        names = _waiting[0]
        for name, value in list(names.items()):
            if isinstance(value, _Later):
                names[name] = value.bring()
        del _waiting[0]
