"""Carries decisions over to what is left of them once a variable is fixed.

Where `p - w >= 0` was decided and then `p = x`, it is `x - w` whose sign is known. Without
this the same question would be split again, and the parts might contradict what is known.
"""

from __future__ import annotations

from optgen.verify.normal.boxes import Signs
from optgen.verify.normal.convert import Converter
from optgen.verify.normal.emptiness import Contradiction, conditions_of
from optgen.verify.normal.field import Poly
from optgen.verify.normal.regions import Region


def carried(converter: Converter) -> Region | Contradiction | Poly:
    """Return a region with the signs that follow from what it fixes.

    Returns:
        The region; why it has no point; or a polynomial that must be 0, as two conditions meet.
    """
    region, space = converter.region, converter.space
    if not region.values:
        return region
    for poly, signs in conditions_of(converter):
        found = _single(converter, poly, signs)
        if found is None:
            continue
        base, implied = found
        known = region.factor_signs(space, base)
        left = known & implied
        if left == {0} and region.signs.get(base) != left:
            return base
        if left != known:
            refined = region.refine(space, base, left) if left else None
            if refined is None:
                return Contradiction(base)
            region = refined
    return region


def _single(converter: Converter, poly: Poly, signs: Signs) -> tuple[Poly, Signs] | None:
    """Return the irreducible polynomial that a condition is about, if it is about one."""
    if poly.is_ground:
        return None
    factors = converter.signs.factorer.factor(poly)
    if len(factors.powers) != 1 or factors.powers[0][1] != 1:
        return None
    flip = 1 if factors.constant > 0 else -1
    return factors.powers[0][0], frozenset(s * flip for s in signs)
