"""Takes times in turns: every contestant once a turn, in an order drawn anew each time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping

WARM_UP = 3
"""Turns that are not counted: memory is touched, code compiled, threads started."""
PAUSE = 0.02
"""Seconds between two contestants: threads of an OpenMP library go on spinning for about 15 ms
after their work, and would take the cores from the next one, whose library is another."""
_LONG = 0.05
_LEAST = 2e-3
"""Seconds that are timed at least: shorter calls are repeated, after one that is not timed. Threads
that have slept wake in as long as a short call takes."""


def repetitions(seconds: float) -> int:
    """Return how many calls are timed together, so that the clock is fine enough."""
    return 1 if seconds >= _LEAST else max(2, min(1000, int(_LEAST / max(seconds, 1e-9))))


def interleaved(
    contestants: Mapping[str, Callable[[], None]],
    turns: int,
    *,
    seed: int = 0,
    limit: float = float("inf"),
    always: frozenset[str] = frozenset(),
    least: int = 5,
    pause: float = PAUSE,
) -> dict[str, list[float]]:
    """Return seconds per call, a list for each contestant.

    Args:
        contestants: What is timed, by name.
        turns: How many times.
        seed: Of the order within each turn.
        limit: Seconds after which contestants that are not in `always` and have had `least`
            turns take part no more: only slow ones cost so much.
        always: Who takes part to the end.
        least: Turns that everyone has.
        pause: Seconds of rest before each.
    """
    order, drawn = list(contestants), random.Random(seed)
    batch = {name: repetitions(_warm(run)) for name, run in contestants.items()}
    times: dict[str, list[float]] = {name: [] for name in contestants}
    started = time.perf_counter()
    for turn in range(turns):
        drawn.shuffle(order)
        late = turn >= least and time.perf_counter() - started > limit
        for name in order:
            if late and name not in always and times[name][-1] > _LONG:
                continue
            time.sleep(pause)
            if batch[name] > 1:
                contestants[name]()
            times[name].append(_timed(contestants[name], batch[name]))
    return times


def _warm(run: Callable[[], None]) -> float:
    found = [_timed(run, 1) for _ in range(WARM_UP)]
    return min(found)


def _timed(run: Callable[[], None], count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        run()
    return (time.perf_counter() - started) / count
