"""A relation in words: the map, what may change, and what the verdict rests on."""

from __future__ import annotations

from optgen.relations.relation import Relation

_WORDS = {
    "related": "every run of {0} is a run of {1}",
    "none": "no constant hyperparameters make every run of {0} a run of {1}",
    "unknown": "it is not known whether every run of {0} is a run of {1}",
}


def explain(relation: Relation) -> str:
    """Return a relation as plain text."""
    r = relation
    sentence = _WORDS[r.verdict].format(r.left, r.right)
    where = f", where {' and '.join(r.where)}" if r.where else ""
    lines = [f"{r.verdict.upper()}: {sentence}{where}"]
    if r.given:
        lines.append("given " + ", ".join(r.given))
    lines += _map(r)
    if r.evidence:
        lines += ["", *(f"- {fact}" for fact in r.evidence)]
    if r.reason:
        lines.append(f"because {r.reason}")
    return "\n".join(lines)


def _map(r: Relation) -> list[str]:
    """Lay out what stands on the right for the things on the left."""
    lines = []
    for title, values in (("hyperparameters", r.hyperparameters), ("states", r.states)):
        if values:
            width = max(map(len, values))
            lines.append(f"{title} of {r.right} =, in terms of {r.left}:")
            lines += [f"  {name:<{width}} = {value}" for name, value in values.items()]
    if r.initial:
        lines.append(f"the states {r.initial}")
    return lines
