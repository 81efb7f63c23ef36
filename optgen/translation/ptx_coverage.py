"""Is every element written exactly once? Indices as digits of a mixed radix.

A kernel's stores are families: one index for every thread, pass of a loop and lane of
a vector. In `4*(ctaid*ntid + tid + j*nctaid*ntid) + lane` the lane is the lowest digit,
then the thread, the block and the pass; each digit's weight is the product of the
ranges below it, so that every number is met exactly once. A condition such as
`index < n` then cuts an interval out of the numbers, and the intervals of all
families must follow each other from 0 to n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from optgen.translation.ptx_conditions import Atom, Less
from optgen.translation.ptx_explore import Event
from optgen.translation.ptx_families import Store, family_store, moves, of_threads
from optgen.translation.ptx_integers import (
    Number,
    Quotients,
    add,
    divisor,
    linear_in,
    multiply,
    parts,
    subtract,
    symbol,
    symbols,
)
from optgen.verify.verdicts import Unsupported


@dataclass(frozen=True, slots=True)
class Coverage:
    """Checks that stores meet each element once.

    Attributes:
        known: What is known of symbols.
        ranges: How many values each thread or block number has.
        count: The number of elements.
    """

    known: Quotients
    ranges: dict[str, Number]
    count: Number

    def check(self, array: str, events: Sequence[Event]) -> tuple[str, ...]:
        """Check one array; return what must be true of the launch.

        Raises:
            Unsupported: It is not seen that each element is written exactly once.
        """
        atoms = sorted(
            {atom for event in events for atom, _ in event.case if not moves(atom)},
            key=str,
        )
        if len(atoms) > 6:
            raise Unsupported(f"{array}: too many cases of sizes and alignments")
        needs: dict[str, None] = {}
        for holds in product((True, False), repeat=len(atoms)):
            world = dict(zip(atoms, holds, strict=True))
            active = [
                event
                for event in events
                if all(world.get(atom, value) == value for atom, value in event.case)
            ]
            if not active and self._empty(world):
                continue
            try:
                found = self._world(active, set(atoms))
            except Unsupported as error:
                case = " and ".join(f"{'' if h else 'not: '}{a}" for a, h in world.items())
                where = f" where {case}" if case else ""
                raise Unsupported(f"{array}{where}: {error}") from None
            needs |= dict.fromkeys(found)
        return tuple(needs)

    def _empty(self, world: dict[Atom, bool]) -> bool:
        """Whether a case is that of no elements at all, or cannot be."""
        for atom, holds in world.items():
            if isinstance(atom, Less):
                low = self.known.least_value(
                    subtract(
                        subtract(0, self.count), atom.poly if not holds else subtract(-1, atom.poly)
                    )
                )
                if low is not None and low >= 0:
                    return True
        return False

    def _world(self, events: Sequence[Event], uniform: set[Atom]) -> tuple[str, ...]:
        families: dict[tuple[Number, Number | None], list[Store]] = {}
        needs: list[str] = []
        for event in events:
            store = family_store(event, uniform, self.known)
            lower = store.below[0].limit if store.below else None
            families.setdefault((store.digits, lower), []).append(store)
        intervals = []
        for stores in families.values():
            start, end, need = self._family(stores)
            intervals.append((start, end))
            if need:
                needs.append(need)
        at: Number = 0
        while intervals:
            following = [i for i in intervals if i[0] == at and i[1] != at] or [
                i for i in intervals if i[0] == at
            ]
            if not following:
                raise Unsupported(f"element {at} is not seen to be written exactly once")
            intervals.remove(following[0])
            if not self._not_negative(subtract(following[0][1], at)):
                raise Unsupported(f"elements from {at} up to {following[0][1]} are written")
            at = following[0][1]
        if at != self.count:
            raise Unsupported(f"elements up to {at} are written, not up to {self.count}")
        return tuple(needs)

    def _family(self, stores: list[Store]) -> tuple[Number, Number, str]:
        """Return the interval that a family writes, and what its launch needs."""
        if stores[0].below:
            return self._single(stores)
        first = _lowest([store.base for store in stores])
        lanes = [subtract(store.base, first) for store in stores]
        if len(set(lanes)) < len(lanes):
            raise Unsupported(f"element {first} is written twice in a pass")
        single = _own_bounds(stores)
        if single is not None:
            range_ = self._complete(stores[0].digits, lanes, set())
            return first, single, "" if range_ is None else _enough(range_, single)
        ends: dict[tuple[int, Number], list[Number]] = {}
        inner: set[tuple[Number, Number]] = set()
        for store, lane in zip(stores, lanes, strict=True):
            outer = []
            for bound in store.above:
                weight = _ratio(store.digits, bound.digits)
                if weight is None:
                    inner.add((bound.digits, add(bound.limit, lane)))
                else:
                    outer.append((weight, bound.limit))
            if len(outer) != 1:
                raise Unsupported(f"the index {add(store.digits, store.base)} has no one bound")
            ends.setdefault(outer[0], []).append(store.base)
        end = {_end(weight, limit, bases) for (weight, limit), bases in ends.items()}
        if len(end) != 1:
            raise Unsupported("lanes end at different elements")
        range_ = self._complete(stores[0].digits, lanes, inner)
        final = end.pop()
        need = "" if range_ is None else _enough(range_, final)
        return first, final, need

    def _single(self, stores: list[Store]) -> tuple[Number, Number, str]:
        """Return the interval of a rest that one thread writes alone.

        With `index = g*q + e`, `q >= low`, `index < end` and `end <= g*low + g` no thread but
        that with `q = low` is left.
        """
        low = stores[0].below[0]
        if any(store.below != (low,) or len(store.above) != 1 for store in stores):
            raise Unsupported("a rest with several bounds")
        weights = {_part_ratio(store.digits, low.digits) for store in stores}
        weight = weights.pop()
        if weights or weight is None:
            raise Unsupported("a rest whose index does not follow its condition")
        group, rest = weight
        ends = set()
        for store in stores:
            (bound,) = store.above
            if bound.digits != store.digits:
                raise Unsupported("a rest whose end does not follow its index")
            ends.add(add(bound.limit, store.base))
        end = ends.pop()
        if ends or not self._not_negative(subtract(add(multiply(group, low.limit), group), end)):
            raise Unsupported("a rest that may be longer than one thread's share")
        threads = self._complete(low.digits, [0], set())
        need = "" if threads is None else _enough(multiply(group, threads), end)
        offsets = sorted(store.base for store in stores if isinstance(store.base, int))
        if rest == 0:
            # Offsets that lie behind the end in any case need no store of their own.
            start = add(multiply(group, low.limit), offsets[0]) if offsets else None
            longest = subtract(end, multiply(group, low.limit))
            short = self._not_negative(subtract(len(offsets), longest))
            if (
                start != multiply(group, low.limit)
                or offsets != list(range(len(offsets)))
                or not short
            ):
                raise Unsupported("a rest of which elements are left out")
        elif offsets != [0] or not _is_pass(rest):
            raise Unsupported("a rest of which elements are left out")
        return multiply(group, low.limit), end, need

    def _complete(
        self, digits: Number, lanes: Sequence[Number], inner: set[tuple[Number, Number]]
    ) -> Number | None:
        """Check that digits and lanes make every number once; return how many, None for all."""
        radix: Number = 1
        left, offsets = digits, set(lanes)
        absorbed: Number = 0
        bounds = dict(inner)
        if len(bounds) < len(inner):
            raise Unsupported("lanes end at different elements")
        unbounded = False
        while True:
            if absorbed in bounds and absorbed != 0:
                radix, unbounded = bounds.pop(absorbed), False
            run = _run(offsets, radix)
            if unbounded:
                break
            if run > 1:
                offsets = {o for o in offsets if subtract(o, radix) not in offsets}
                radix = multiply(radix, run)
                continue
            found = None
            for name in sorted(symbols(left)):
                slope = linear_in(left, name)
                if of_threads(name) and slope is not None and slope[0] == radix:
                    found = name, slope[1]
                    break
            if found is None:
                break
            name, left = found
            absorbed = add(absorbed, multiply(radix, symbol(name)))
            if name.startswith("pass"):
                unbounded = True
            else:
                radix = multiply(radix, self.ranges[name])
        if left != 0 or offsets != {0} or bounds:
            raise Unsupported(f"the indices {digits} are not seen to be all different and complete")
        missing = [n for n, r in self.ranges.items() if r != 1 and n not in symbols(digits)]
        if any(n in ("tid.x", "ctaid.x") for n in missing):
            raise Unsupported(f"threads that differ in {missing[0]} write the same element")
        return None if unbounded else radix

    def _not_negative(self, number: Number) -> bool:
        """Whether a number is at least 0, quotients and their remainders known."""
        low = self.known.least_value(number)
        if low is not None and low >= 0:
            return True
        for name in sorted(symbols(number)):
            if name in self.known.defined:
                numerator, by = self.known.defined[name]
                slope = linear_in(number, name)
                if slope is None or not isinstance(slope[0], int) or slope[0] == 0:
                    continue
                # by*name is numerator - r with 0 <= r < by; multiply the number by `by`.
                scaled = add(multiply(by, slope[1]), multiply(slope[0], numerator))
                worst = min(0, -slope[0] * (by - 1))
                if self._not_negative(add(scaled, worst)):
                    return True
        return False


def _own_bounds(stores: list[Store]) -> Number | None:
    """Return the one end of stores each of which compares its own index with it, or None."""
    if any(len(store.above) != 1 or store.above[0].whole != store.digits for store in stores):
        return None
    ends = {add(store.above[0].whole_limit, store.base) for store in stores}
    return ends.pop() if len(ends) == 1 else None


def _enough(threads: Number, end: Number) -> str:
    return f"the launch covers all elements: {threads} >= {end}"


def _is_pass(number: Number) -> bool:
    """Whether a number is the number of a loop's pass, and nothing else."""
    return any(name.startswith("pass") and number == symbol(name) for name in symbols(number))


def _ratio(number: Number, part: Number) -> int | None:
    """Return the positive integer w with `number = w*part`, or None."""
    a, b = divisor(number), divisor(part)
    if b == 0 or a % b:
        return None
    return a // b if multiply(a // b, part) == number else None


def _part_ratio(number: Number, part: Number) -> tuple[int, Number] | None:
    """Return w and the rest with `number = w*part + rest`, the rest free of the part."""
    mine, theirs = parts(number), parts(part)
    for monomial, factor in theirs.items():
        weight = mine.get(monomial, 0)
        if weight > 0 and weight % factor == 0:
            rest = subtract(number, multiply(weight // factor, part))
            if not symbols(rest) & symbols(part):
                return weight // factor, rest
    return None


def _lowest(bases: Sequence[Number]) -> Number:
    """Return the base that no other is below of."""
    for candidate in bases:
        gaps = [subtract(base, candidate) for base in bases]
        if all(min(parts(gap).values(), default=0) >= 0 for gap in gaps):
            return candidate
    raise Unsupported("indices whose order is not known")


def _end(weight: int, limit: Number, bases: list[Number]) -> Number:
    """Return where lanes end that share a bound on `index/weight`."""
    first = _lowest(bases)
    if weight == 1 and len(bases) == 1:
        return add(first, limit)
    lanes = sorted(gap for gap in (subtract(b, first) for b in bases) if isinstance(gap, int))
    if len(bases) != weight or lanes != list(range(weight)):
        raise Unsupported("lanes that share a condition but are no whole group")
    return add(first, multiply(weight, limit))


def _run(offsets: set[Number], radix: Number) -> int:
    """Return how many lanes follow each other at this distance, the same for all."""
    count = 0
    while multiply(count, radix) in offsets:
        count += 1
    starts = [o for o in offsets if subtract(o, radix) not in offsets]
    for start in starts:
        if any(add(start, multiply(i, radix)) not in offsets for i in range(count)):
            return 1
    return count if count * len(starts) == len(offsets) else 1
