"""Breaks long lines of generated Python the way its formatter would."""

from __future__ import annotations

import textwrap

WIDTH = 100


def call(head: str, items: tuple[str, ...], tail: str = ")", indent: int = 0) -> tuple[str, ...]:
    """Return `head(items)tail` on one line, on three, or with one item a line.

    Args:
        head: Text up to and including the opening bracket.
        items: What stands between the brackets.
        tail: Closing bracket and what follows.
        indent: Spaces that the caller puts before each line.
    """
    flat = ", ".join(items)
    if indent + len(head) + len(flat) + len(tail) <= WIDTH:
        return (f"{head}{flat}{tail}",)
    if indent + 4 + len(flat) <= WIDTH:
        return (head, f"    {flat}", tail)
    return (head, *(f"    {item}," for item in items), tail)


def comment(text: str, mark: str, indent: int = 0) -> tuple[str, ...]:
    """Return text as comment lines, continued lines set in.

    Args:
        text: What to say.
        mark: What each line begins with (`#`, `//`), or a label for the first (`lr:`).
        indent: Spaces that the caller puts before each line.
    """
    rest = " " * 4 if mark.endswith(":") else f"{mark}    "
    lines = textwrap.wrap(
        text,
        WIDTH - 4 - indent,
        initial_indent=f"{mark} ".lstrip() if mark.strip() else mark,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return tuple(lines)
