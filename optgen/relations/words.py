"""Says exactly what "none" covers."""

from __future__ import annotations

from collections.abc import Iterator

import sympy

from optgen.domains import Domain
from optgen.relations.certificate import Refutation
from optgen.relations.maps import Pair
from optgen.symbols import symbol
from optgen.verify.deadline import Deadline
from optgen.verify.proof import Failure, prove_signs
from optgen.verify.serialise import serialise


def no_map(pair: Pair, found: Refutation) -> Iterator[str]:
    """Say which maps a refutation excludes, and for which hyperparameters."""
    steps = "first step" if found.steps == 1 else f"first {found.steps} steps"
    yield (
        f"no constant hyperparameters of {pair.b.name} follow the {steps} of {pair.a.name} "
        "from the initial states: the gradients are taken at other points, whatever the map "
        "of the states"
    )
    if found.at:
        at = ", ".join(f"{n} = {v}" for n, v in found.at.items())
        yield f"proved at {at}: no map of hyperparameters holds for all of them"
    elif found.base:
        where = _conditions(pair, found)
        text = f", where {where}" if where else ""
        yield (
            f"proved for all {', '.join(found.base)} of {pair.a.name} inside their domains, "
            f"ends left out{text}"
        )


def _conditions(pair: Pair, found: Refutation) -> str:
    """Return what must not be 0, as far as the domains do not say so."""
    kept = []
    for text in found.nonzero:
        value = sympy.parse_expr(text, local_dict={n: symbol(n) for n in pair.base})
        proof = prove_signs(
            serialise(value), frozenset((1, -1)), _open(pair), {}, Deadline.after(2)
        )
        if isinstance(proof, Failure):
            kept.append(f"{text} != 0")
    return " and ".join(kept)


def _open(pair: Pair) -> dict[str, Domain]:
    return {n: Domain(d.low, d.high, True, True, d.integer) for n, d in pair.base.items()}


def at_the_end(pair: Pair, found: Refutation) -> Iterator[str]:
    """Say which defaults lie at an end that the refutation leaves out."""
    for hyper in pair.a.hyperparameters:
        domain, default = pair.base.get(hyper.name), hyper.default
        if domain is None or found.at:
            continue
        if default in (domain.low, domain.high):
            yield (
                f"{hyper.name} = {default} is left out: ask for it with "
                f"--given left.{hyper.name}={default}"
            )
