"""The ways through a kernel: successors, where two ways meet again, and loops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from optgen.crosscheck.ptx.module import Entry, Instruction

ENDS = ("ret", "exit", "trap")


@dataclass(frozen=True, slots=True)
class Flow:
    """The graph of an entry's instructions; `end` is the number behind the last one.

    Attributes:
        end: Where every way ends.
        meets: For each branch, the first instruction that both its ways come to.
        loops: For each first instruction of a loop, all instructions in it.
    """

    end: int
    meets: Mapping[int, int]
    loops: Mapping[int, frozenset[int]]


def successors(entry: Entry, at: int) -> tuple[int, ...]:
    """Return where the thread may go on."""
    code: Instruction = entry.instructions[at]
    if code.opcode in ENDS:
        end = len(entry.instructions)
        return (end,) if code.guard is None else (end, at + 1)
    if code.target is None:
        return (at + 1,)
    return (code.target,) if code.guard is None else (code.target, at + 1)


def flow(entry: Entry) -> Flow:
    """Return the graph of an entry."""
    end = len(entry.instructions)
    after = [*(successors(entry, at) for at in range(end)), ()]
    before: list[list[int]] = [[] for _ in range(end + 1)]
    for at, following in enumerate(after):
        for each in following:
            before[each].append(at)
    blocks = [at for at in range(end) if len(after[at]) > 1]
    behind = _dominators(end, before, after, order=range(end, -1, -1))
    meets = {}
    for at in blocks:
        if behind[at] is not None:
            meets[at] = behind[at]
    ahead = _dominators(0, after, before, order=range(end + 1))
    loops: dict[int, frozenset[int]] = {}
    for at, following in enumerate(after):
        for head in following:
            if head <= at and _dominates(ahead, head, at):
                loops[head] = loops.get(head, frozenset()) | _body(head, at, before)
    return Flow(end, {at: meet for at, meet in meets.items() if meet is not None}, loops)


def _dominators(
    root: int,
    after: list[list[int]] | list[tuple[int, ...]],
    before: list[list[int]] | list[tuple[int, ...]],
    order: range,
) -> list[int | None]:
    """Return each node's immediate dominator, by Cooper, Harvey and Kennedy's iteration."""
    number = {}
    todo = [(root, iter(after[root]))]
    seen = {root}
    postorder = []
    while todo:
        node, rest = todo[-1]
        found = next((each for each in rest if each not in seen), None)
        if found is None:
            postorder.append(node)
            todo.pop()
        else:
            seen.add(found)
            todo.append((found, iter(after[found])))
    number = {node: place for place, node in enumerate(postorder)}
    result: list[int | None] = [None] * len(order)
    result[root] = root
    changed = True
    while changed:
        changed = False
        for node in reversed(postorder[:-1]):
            new: int | None = None
            for each in before[node]:
                if each not in number or result[each] is None:
                    continue
                new = each if new is None else _meet(new, each, result, number)
            if new != result[node]:
                result[node] = new
                changed = True
    result[root] = None
    return result


def _meet(a: int, b: int, found: list[int | None], number: Mapping[int, int]) -> int:
    while a != b:
        while number[a] < number[b]:
            above = found[a]
            assert above is not None
            a = above
        while number[b] < number[a]:
            above = found[b]
            assert above is not None
            b = above
    return a


def _dominates(found: list[int | None], head: int, at: int) -> bool:
    node: int | None = at
    while node is not None:
        if node == head:
            return True
        node = found[node]
    return False


def _body(head: int, tail: int, before: list[list[int]]) -> frozenset[int]:
    inside = {head}
    todo = [tail]
    while todo:
        node = todo.pop()
        if node not in inside:
            inside.add(node)
            todo += before[node]
    return frozenset(inside)
