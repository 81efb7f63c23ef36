"""Ways to match the states of two rules: equal names first, then every other bijection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from optgen.verify.runs.sides import Side


def matchings(
    left: Side,
    right: Side,
    states: Mapping[str, Sequence[str]],
    allowed: Callable[[str, str], bool] = lambda a, b: True,
) -> Iterator[dict[str, str]]:
    """Yield bijections between states of equal shape, that with most equal names first.

    Args:
        left: A rule.
        right: Another.
        states: The states to match, for each side.
        allowed: Whether two states may be matched.
    """
    shapes = {s.label: {b.name: b.shape for b in s.spec.state} for s in (left, right)}
    lefts, rights = states["left"], states["right"]
    if sorted(shapes["left"][n] for n in lefts) != sorted(shapes["right"][n] for n in rights):
        return
    choices: dict[str, list[str]] = {}
    for a in lefts:
        found = [b for b in rights if shapes["left"][a] == shapes["right"][b] and allowed(a, b)]
        choices[a] = sorted(found, key=lambda b: (b != a, b in lefts))

    def extend(chosen: dict[str, str], rest: Sequence[str]) -> Iterator[dict[str, str]]:
        if not rest:
            yield dict(chosen)
            return
        for b in choices[rest[0]]:
            if b not in chosen.values():
                yield from extend({**chosen, rest[0]: b}, rest[1:])

    yield from extend({}, lefts)
