"""Do maps of steps exist if the initial states are forgotten?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from sympy import QQ
from sympy.polys.orderings import grevlex
from sympy.polys.rings import PolyRing

from optgen.domains import POSITIVE, REAL, STEP, Domain
from optgen.relations.basis import basis
from optgen.relations.certificate import over_field
from optgen.relations.maps import Pair
from optgen.relations.polynomials import systems
from optgen.relations.proving import step_equations
from optgen.relations.refuting import PRIME, sought
from optgen.relations.search import dense
from optgen.relations.systems import Roles, Split
from optgen.verify.deadline import Deadline
from optgen.verify.verdicts import Unsupported


def steps_alone(pair: Pair, deadline: Deadline) -> bool:
    """Whether a linear map takes every step of one rule, from any state, to one of the other.

    Solutions are sought over the complex numbers, hyperparameters of the second rule
    included; the initial states are not looked at, and steps are those from the second on.

    Raises:
        OutOfTime: The deadline has passed.
        Unsupported: The rules are not polynomial, or the equations grow too large.
    """
    if not pair.a.state or not pair.b.state:
        return False
    values = sought(pair)
    ansatz, entries = dense(pair, values, pair.reaching(values))
    equations, definitions = step_equations(pair, ansatz)
    free = (*pair.inputs, "param", *(b.name for b in pair.a.state), "step")
    later = replace(STEP, low=Fraction(2))
    domains: dict[str, Domain] = {**dict.fromkeys(free, POSITIVE), **pair.base, "step": later}
    primes = [h.name + PRIME for h in pair.b.hyperparameters if h.name not in pair.fixed]
    unknown = (*entries, *primes)
    domains |= dict.fromkeys(unknown, REAL)
    try:
        # strict: where a denominator is 0 the second rule takes no step
        roles = Roles(free, tuple(pair.base), unknown, domains, strict=True)
        found = systems(equations, definitions, roles, deadline)
    except Split as split:
        raise Unsupported(str(split)) from None
    for system in found:
        over = QQ.frac_field(*system.base) if system.base else QQ
        ring = PolyRing(system.unknown, over, grevlex)
        polys = [over_field(c.poly, ring, len(system.base)) for c in system.conditions]
        if not polys or not basis(polys, deadline)[0].poly.is_ground:
            return True
    return False
