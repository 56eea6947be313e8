"""What a server is asked for classes of phones: their hellos, and what follows of them.

First each hello; then, by what came of it, its variants (``check.variants``): with or
without a server name, the other certificate, the reverse order. Where a server hung up
on every hello, or was silent, other ones are tried: one that answers any of them is
there, and refuses.
"""

from collections.abc import Sequence

from linekey.check.answer import Answer
from linekey.check.classes import PhoneClass, hellos_of
from linekey.check.hellos import Hello
from linekey.check.prober import Prober, current_hello
from linekey.check.variants import control_hellos, further_hellos, needs_control
from linekey.tls.engine import Identity


async def ask_for(
    prober: Prober,
    host: str,
    port: int,
    classes: Sequence[PhoneClass],
    *,
    identity: Identity | None = None,
    name: str,
) -> dict[tuple[object, ...], Answer]:
    """Ask a server all that ``check_answers`` can use; answers by ``Hello.wire_key``.

    ``name`` is what the phones connect to. Each hello is asked once, at one address.
    Of phones of which nothing is known there is none, so nothing is asked for them.
    """
    if not hellos_of(classes):
        return {}
    answers = await prober.ask_all(
        host, port, hellos_of(classes), identity=identity, name=name
    )
    if not prober.asked:
        return answers
    while more := further_hellos(classes, answers, name):
        answers |= await prober.ask_more(port, more, identity=identity, name=name)
    if needs_control(answers):
        controls: tuple[Hello, ...] = (
            current_hello(name),
            *control_hellos(answers, name),
        )
        answers |= await prober.ask_more(port, controls, name=name)
    return answers
