"""A comparison in words: the verdict, what it rests on, and every value of a witness."""

from __future__ import annotations

from dataclasses import replace
from html import escape

from optgen.verify.comparison import Comparison

_RELATIONS = {
    "equal": "equals",
    "equal while constant": "equals",
    "different": "differs from",
    "unknown": "may or may not equal",
}


def explain(comparison: Comparison) -> str:
    """Return a comparison as plain text."""
    return "\n".join(_lines(comparison))


def _lines(c: Comparison) -> list[str]:
    lines = [f"{c.verdict.upper()}: {c.left} {_RELATIONS[c.verdict]} {c.right}"]
    if c.as_one_step:
        lines[0] = f"DIFFERENT AS ONE STEP: {c.left} and {c.right} differ from the state below"
        lines.append("(no run from the initial states is known to reach it, or to part them)")
    if c.verdict == "equal while constant":
        names = " and ".join(c.constant)
        verb = "is" if len(c.constant) == 1 else "are"
        lines[0] = f"EQUAL WHILE {names} {verb} constant: {c.left} equals {c.right} in such runs"
        if c.witness is not None:
            changing = " or ".join(c.constant)
            lines.append(f"(they part if {changing} changes from step to step, as below)")
    if c.given:
        lines.append("given " + ", ".join(c.given))
    if c.witness is not None:
        lines.append("at " + ", ".join(f"{name} = {value}" for name, value in c.witness.items()))
        lines.append(f"left gives {c.left_value}, right gives {c.right_value}")
    if c.rows:
        lines += ["", *_table(c)]
    if c.verdict.startswith("equal") and c.matching:
        pairs = (a if a == b else f"{a} with {b}" for a, b in c.matching.items())
        lines.append("states matched: " + ", ".join(pairs))
    if c.evidence:
        lines += ["", *(f"- {fact}" for fact in c.evidence)]
    if c.reason:
        lines.append(f"because {c.reason}")
    return lines


def _table(c: Comparison) -> list[str]:
    """Lay out every intermediate value in two columns; `<-` marks the first that differs."""
    first = next((row for row in c.rows if row.differs), None)
    cells = [("", f"left: {c.left}", f"right: {c.right}", "")]
    step = 0
    for row in c.rows:
        if row.step != step:
            step = row.step
            cells.append((f"step {step}", "", "", ""))
        mark = "<- first difference" if row is first else ""
        cells.append((f"  {row.name}", row.left or "-", row.right or "-", mark))
    widths = [max(len(line[i]) for line in cells) for i in range(3)]
    return [
        "  ".join(
            (*(cell.ljust(w) for cell, w in zip(line, widths, strict=False)), line[3])
        ).rstrip()
        for line in cells
    ]


def as_html(comparison: Comparison) -> str:
    """Return a comparison as HTML, for notebooks."""
    c = comparison
    words = [line for line in _lines(replace(c, rows=())) if line]
    paragraphs = "".join(f"<div>{escape(line)}</div>" for line in words[1:])
    head = f"<div><strong>{escape(words[0])}</strong></div>{paragraphs}"
    if not c.rows:
        return head
    first = next((row for row in c.rows if row.differs), None)
    body = "".join(
        "<tr>"
        + "".join(
            f"<td>{_bold(cell, row is first)}</td>"
            for cell in (str(row.step), row.name, row.left or "-", row.right or "-")
        )
        + "</tr>"
        for row in c.rows
    )
    names = ("step", "", c.left, c.right)
    header = "".join(f"<th>{escape(name)}</th>" for name in names)
    return f"{head}<table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>"


def _bold(text: str, bold: bool) -> str:
    return f"<strong>{escape(text)}</strong>" if bold else escape(text)


def as_latex(comparison: Comparison) -> str:
    """Return the verdict of a comparison as a displayed line of LaTeX, for notebooks."""
    c = comparison
    signs = {"different": r"\neq", "unknown": r"\overset{?}{=}"}
    sign = signs.get(c.verdict, "=")
    left, right = (rf"\text{{{name.replace('_', chr(92) + '_')}}}" for name in (c.left, c.right))
    given = rf"\quad\text{{given }}\texttt{{{', '.join(c.given)}}}" if c.given else ""
    if c.constant:
        given += rf"\quad\text{{while {', '.join(c.constant)} constant}}"
    return f"$$\n{left} {sign} {right}{given.replace('_', chr(92) + '_')}\n$$"
