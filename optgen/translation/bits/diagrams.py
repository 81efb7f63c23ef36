"""Functions of bits as decision diagrams: two functions are equal only if they are one number.

    node = 0 (false) | 1 (true) | (bit, node where it is not set, node where it is)

A bit is a place in a word and the word it belongs to. Low places are asked first, and
those of all words together: then a sum needs no more nodes than its operands have bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from optgen.verify.verdicts import Unsupported

NO, YES = 0, 1
_WORDS = 1 << 32
"""More words than there can be: numbers of bits are `place * _WORDS + word`."""
_MOST = 2_000_000
_NEVER_ASKED = 1 << 64


@dataclass(slots=True)
class Diagrams:
    """A store of nodes: builds each function once."""

    _nodes: list[tuple[int, int, int]] = field(
        default_factory=lambda: [(_NEVER_ASKED, NO, NO), (_NEVER_ASKED, YES, YES)]
    )
    _known: dict[tuple[int, int, int], int] = field(default_factory=dict)
    _chosen: dict[tuple[int, int, int], int] = field(default_factory=dict)

    def bit(self, place: int, word: int) -> int:
        """Return the function that is one bit of a word."""
        return self._node(place * _WORDS + word, NO, YES)

    def choose(self, asked: int, yes: int, no: int) -> int:
        """Return the function that is `yes` where `asked` holds, else `no`.

        Raises:
            Unsupported: The functions grow beyond what is held.
        """
        if asked == YES or yes == no:
            return yes
        if asked == NO:
            return no
        if yes == YES and no == NO:
            return asked
        key = (asked, yes, no)
        found = self._chosen.get(key)
        if found is None:
            nodes = self._nodes
            (a, a0, a1), (b, b0, b1), (c, c0, c1) = nodes[asked], nodes[yes], nodes[no]
            top = min(a, b, c)
            if a != top:
                a0 = a1 = asked
            if b != top:
                b0 = b1 = yes
            if c != top:
                c0 = c1 = no
            low, high = self.choose(a0, b0, c0), self.choose(a1, b1, c1)
            found = self._chosen[key] = self._node(top, low, high)
        return found

    def negate(self, node: int) -> int:
        """Return the function that holds where another does not."""
        return self.choose(node, NO, YES)

    def both(self, left: int, right: int) -> int:
        """Return `left and right`."""
        return self.choose(left, right, NO)

    def either(self, left: int, right: int) -> int:
        """Return `left or right`."""
        return self.choose(left, YES, right)

    def differ(self, left: int, right: int) -> int:
        """Return the exclusive or."""
        return self.choose(left, self.negate(right), right)

    def words(self, nodes: tuple[int, ...]) -> frozenset[int]:
        """Return the words that some functions depend on."""
        return frozenset(self._nodes[node][0] % _WORDS for node in self._below(nodes) if node > YES)

    def _below(self, nodes: tuple[int, ...]) -> Iterator[int]:
        todo, seen = list(nodes), set()
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                yield node
                if node > YES:
                    todo += self._nodes[node][1:]

    def number(self, nodes: tuple[int, ...], words: Mapping[int, int]) -> int:
        """Return the number that functions make up, the lowest bit first, for some words."""
        found = 0
        for place, node in enumerate(nodes):
            while node > YES:
                bit, low, high = self._nodes[node]
                node = high if words[bit % _WORDS] >> bit // _WORDS & 1 else low
            found |= node << place
        return found

    def example(self, node: int) -> dict[int, int] | None:
        """Return words for which a function holds, all other bits 0; None if there are none."""
        found: dict[int, int] = {}
        if node == NO:
            return None
        while node != YES:
            bit, low, high = self._nodes[node]
            word, place = bit % _WORDS, bit // _WORDS
            found[word] = found.get(word, 0) | (int(low == NO) << place)
            node = high if low == NO else low
        return found

    def _node(self, bit: int, low: int, high: int) -> int:
        if low == high:
            return low
        key = (bit, low, high)
        found = self._known.get(key)
        if found is None:
            if len(self._nodes) >= _MOST:
                raise Unsupported("functions of bits that grow too large")
            found = self._known[key] = len(self._nodes)
            self._nodes.append(key)
        return found
