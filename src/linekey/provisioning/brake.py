"""How often a phone's password may be guessed: pauses that grow, as a pure function.

A *guess* is an answer to an HTTP digest challenge, with a good nonce, for the file of a
phone that its certificate does not name. Wrong ones are counted four times over, and
each count has its own rule:

=======  ==========================================  =====  =======  ===============
count    of wrong answers                            free   longest  one is forgotten
=======  ==========================================  =====  =======  ===============
pair     for this device from this source            3      60 s     in 10 min
device   for this device from all strange sources    20     10 s     in 1 min
source   from this source for all devices            60     2 s      in 10 s
own      from the phone's own place, in a pause      60     5 s      in 1 min
=======  ==========================================  =====  =======  ===============

The wrong answer that uses up the free ones begins a pause of 1 s, the next of 2, 4, 8 …
up to the longest. While one of pair, device and source pauses, an answer is not read
and not counted: asking on neither helps nor prolongs anything.

*The phone's own place* is the source and the certificate with which this device last
proved itself. From there only the pair counts, whatever strangers do elsewhere; and
while it pauses, answers are read all the same as long as ``own`` allows: so a neighbour
behind the same address cannot keep the phone out by guessing. Right or wrong, its first
answers are looked at; who is told to wait cannot tell.

A right answer changes no count: knowing one password must not buy guesses. What this
adds up to is in docs/decisions/0015.

Rules: pure; ``now`` comes in. An unregistered MAC has the same counts as a registered
one, so nobody learns from a pause who is registered.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Rule:
    """How one count turns into pauses. Seconds, all of them."""

    free: int
    """Wrong answers until the first pause begins."""
    longest_s: int
    forget_s: int
    """After so long without a wrong one, one is forgotten."""

    def pause_s(self, wrong: int) -> int:
        """The pause that the last of so many wrong answers began."""
        if wrong < self.free:
            return 0
        # The exponent is bounded first: no number of rows makes this slow.
        return min(self.longest_s, 1 << min(wrong - self.free, 16))

    @property
    def most(self) -> int:
        """The count is not raised beyond this: the longest pause is reached."""
        return self.free + math.ceil(math.log2(self.longest_s))


PAIR = Rule(free=3, longest_s=60, forget_s=600)
DEVICE = Rule(free=20, longest_s=10, forget_s=60)
SOURCE = Rule(free=60, longest_s=2, forget_s=10)
OWN = Rule(free=60, longest_s=5, forget_s=60)


@dataclass(frozen=True, slots=True)
class Tally:
    """Wrong answers, and when the last one came; ``at`` is None if there was none."""

    wrong: int = 0
    at: datetime | None = None

    def left(self, rule: Rule, now: datetime) -> int:
        """How many are not forgotten."""
        if self.at is None:
            return 0
        quiet_s = max(0.0, (now - self.at).total_seconds())
        return max(0, min(self.wrong, rule.most) - int(quiet_s // rule.forget_s))

    def wait_s(self, rule: Rule, now: datetime) -> int:
        """Whole seconds until the pause is over, 0 if there is none.

        Never more than the pause itself, also when the clock was set back.
        """
        if self.at is None:
            return 0
        pause = rule.pause_s(self.left(rule, now))
        over = self.at + timedelta(seconds=pause)
        return min(pause, max(0, math.ceil((over - now).total_seconds())))

    def one_more(self, rule: Rule, now: datetime) -> "Tally":
        """The tally after a wrong answer at ``now``."""
        return Tally(min(self.left(rule, now) + 1, rule.most), now)

    def forgotten_at(self, rule: Rule) -> datetime | None:
        """When nothing is left of it."""
        if self.at is None:
            return None
        return self.at + timedelta(seconds=self.wrong * rule.forget_s)


@dataclass(frozen=True, slots=True)
class Attempts:
    """What is known when an answer comes: the four counts."""

    pair: Tally = Tally()
    device: Tally = Tally()
    source: Tally = Tally()
    own: Tally = Tally()
    at_home: bool = False
    """Whether it comes from the phone's own place."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one answer."""

    read: bool = True
    """Whether the answer counts at all: if not, nobody may learn whether it is right,
    and a right one opens nothing."""
    paused: bool = False
    """Whether it came in a pause: the refusal is 429 then."""
    wait_s: int = 0
    """Seconds until the next answer is read (``Retry-After``); 0: at once."""


def judge(
    attempts: Attempts, *, right: bool, now: datetime
) -> tuple[Verdict, Attempts]:
    """Judge one answer; return what becomes of it, and the counts after it.

    The counts are the very ones that came in if nothing is to be written. Whoever
    stores them lets no second answer be judged by the same counts.
    """
    wait = _wait_s(attempts, now)
    if not wait:
        if right:
            return Verdict(), attempts
        after = replace(attempts, pair=attempts.pair.one_more(PAIR, now))
        if not attempts.at_home:
            after = replace(
                after,
                device=attempts.device.one_more(DEVICE, now),
                source=attempts.source.one_more(SOURCE, now),
            )
        return Verdict(wait_s=_wait_s(after, now)), after
    if attempts.at_home and not attempts.own.wait_s(OWN, now):
        if right:
            return Verdict(paused=True), attempts
        after = replace(attempts, own=attempts.own.one_more(OWN, now))
        return Verdict(paused=True, wait_s=wait), after
    return Verdict(read=False, paused=True, wait_s=wait), attempts


def _wait_s(attempts: Attempts, now: datetime) -> int:
    waits = [attempts.pair.wait_s(PAIR, now)]
    if not attempts.at_home:
        waits.append(attempts.device.wait_s(DEVICE, now))
        waits.append(attempts.source.wait_s(SOURCE, now))
    return max(waits)
