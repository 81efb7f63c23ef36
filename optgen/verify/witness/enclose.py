"""The decider's own numbers: exact fractions, and balls of scaled integers for the rest.

A `Number` is a `Fraction`, or a pair of integers `(low, high)` that encloses the
value after multiplication by 2**bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

from optgen.verify.deadline import Deadline
from optgen.verify.serialise import RELATIONS, Tree, parts_of
from optgen.verify.verdicts import Unsupported

Ball = tuple[int, int]
Number = Fraction | Ball
Vector = tuple[Number, ...]

ZERO, ONE = Fraction(0), Fraction(1)
_LARGEST_EXPONENT = 4096
_LONGEST_EXACT = 1 << 16  # bits of a fraction; a longer one goes on as a ball
_LONGEST = 1 << 18  # bits of any integer


class Undefined(Exception):
    """The expression has no value at this point."""


class Blurred(Exception):
    """The enclosure is too wide to go on; more bits may help."""


class TooLarge(Blurred):
    """A number is too long to go on; more bits will not help."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Arithmetic at one precision.

    Attributes:
        bits: Balls are integers over 2**bits.
        deadline: When to give up; None for never.
    """

    bits: int
    deadline: Deadline | None = None

    def ball(self, value: Number) -> Ball:
        """Return the smallest ball around a number."""
        if isinstance(value, tuple):
            return value
        if value.numerator.bit_length() - value.denominator.bit_length() > _LONGEST:
            raise TooLarge
        scaled = value.numerator << self.bits
        low = scaled // value.denominator
        return (low, low if low * value.denominator == scaled else low + 1)

    def add(self, a: Number, b: Number) -> Number:
        """Return a + b."""
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            return self._short(a + b)
        (p, q), (r, s) = self.ball(a), self.ball(b)
        return (p + r, q + s)

    def multiply(self, a: Number, b: Number) -> Number:
        """Return a * b."""
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            return self._short(a * b)
        if ZERO in (a, b):
            return ZERO
        (p, q), (r, s) = self.ball(a), self.ball(b)
        if max(p.bit_length(), q.bit_length()) + max(r.bit_length(), s.bit_length()) > _LONGEST:
            raise TooLarge
        ends = (p * r, p * s, q * r, q * s)
        return (min(ends) >> self.bits, -(-max(ends) >> self.bits))

    def _short(self, a: Fraction) -> Number:
        """Return a fraction, as a ball if it is long."""
        length = max(a.numerator.bit_length(), a.denominator.bit_length())
        return a if length <= _LONGEST_EXACT else self.ball(a)

    def invert(self, a: Number) -> Number:
        """Return 1 / a."""
        if self.sign(a) == 0:
            raise Undefined("a division by 0")
        if isinstance(a, Fraction):
            return 1 / a
        unit = 1 << (2 * self.bits)
        return (unit // a[1], -(-unit // a[0]))

    def negate(self, a: Number) -> Number:
        """Return -a."""
        return -a if isinstance(a, Fraction) else (-a[1], -a[0])

    def sign(self, a: Number) -> int:
        """Return -1, 0 or 1; raises `Blurred` if the ball holds 0."""
        if isinstance(a, Fraction):
            return (a > 0) - (a < 0)
        if a[0] > 0:
            return 1
        if a[1] < 0:
            return -1
        raise Blurred

    def compare(self, a: Number, b: Number) -> int:
        """Return the sign of a - b."""
        return self.sign(self.add(a, self.negate(b)))

    def root(self, a: Number, degree: int) -> Number:
        """Return the non-negative root of a number that is not negative."""
        if isinstance(a, Fraction):
            if a < 0:
                raise Undefined("the root of a negative number")
            top, bottom = _iroot(a.numerator, degree), _iroot(a.denominator, degree)
            if top**degree == a.numerator and bottom**degree == a.denominator:
                return Fraction(top, bottom)
        low, high = self.ball(a)
        if high < 0:
            raise Undefined("the root of a negative number")
        if low < 0:
            raise Blurred
        shift = self.bits * (degree - 1)
        return (_iroot(low << shift, degree), _iroot(high << shift, degree) + 1)

    def power(self, base: Number, exponent: Number) -> Number:
        """Return base ** exponent for a rational exponent."""
        if not isinstance(exponent, Fraction):
            raise Undefined("an irrational exponent")
        top, degree = exponent.numerator, exponent.denominator
        if degree > 64 or abs(top) > _LARGEST_EXPONENT:
            raise TooLarge
        if degree > 1:
            base = self.root(base, degree)
        if top < 0:
            base, top = self.invert(base), -top
        if isinstance(base, Fraction):
            length = top * max(base.numerator.bit_length(), base.denominator.bit_length())
            if length > _LONGEST:
                raise TooLarge
            return self._short(base**top)
        result: Number = ONE
        for bit in bin(top)[2:]:
            result = self.multiply(result, result)
            if isinstance(result, tuple):
                result = (max(result[0], 0), result[1])
            if bit == "1":
                result = self.multiply(result, base)
        return result


def _iroot(n: int, degree: int) -> int:
    """Return the integer part of the root of a non-negative integer, by Newton's iteration."""
    if degree == 2:
        return isqrt(n)
    if n < 2:
        return n
    guess = 1 << -(-n.bit_length() // degree)
    while True:
        better = ((degree - 1) * guess + n // guess ** (degree - 1)) // degree
        if better >= guess:
            return guess
        guess = better


@dataclass(frozen=True, slots=True)
class Interpreter:
    """Evaluates trees for all elements of a vector at once.

    Attributes:
        numbers: The arithmetic.
        size: Number of elements.
    """

    numbers: Numbers
    size: int = 1

    def value(self, tree: Tree, env: Mapping[str, Vector]) -> Vector:
        """Return the value of an expression, one number for each element.

        Raises:
            Undefined: It has none.
            Blurred: The precision does not suffice.
        """
        return self._value(tree, env, {})

    def _value(self, tree: Tree, env: Mapping[str, Vector], done: dict[int, Vector]) -> Vector:
        todo = [tree]
        while todo:
            node = todo[-1]
            if id(node) in done:
                todo.pop()
                continue
            if node[0] != "choice":
                missing = [part for part in parts_of(node) if id(part) not in done]
                if missing:
                    todo += reversed(missing)
                    continue
            todo.pop()
            done[id(node)] = self._node(node, env, done)
        return done[id(tree)]

    def _node(self, tree: Tree, env: Mapping[str, Vector], done: dict[int, Vector]) -> Vector:
        if self.numbers.deadline is not None:
            self.numbers.deadline.check()
        tag = tree[0]
        if tag == "name":
            return env[tree[1]]
        if tag == "number":
            return (tree[1],) * self.size
        if tag == "choice":
            return tuple(self._choose(tree[1:], env, i, done) for i in range(self.size))
        args = [done[id(part)] for part in tree[1:]]
        if tag in ("norm", "mean"):
            return (self._reduce(tag, args[0]),) * self.size
        function = _FUNCTIONS.get(tag)
        if function is None:
            raise Unsupported(f"no evaluation of '{tag}'")
        if self.size == 1:
            return (function(self.numbers, [a[0] for a in args]),)
        return tuple(function(self.numbers, row) for row in zip(*args, strict=True))

    def _choose(
        self, branches: Sequence[Tree], env: Mapping[str, Vector], i: int, done: dict[int, Vector]
    ) -> Number:
        for value, condition in branches:
            if self._holds(condition, env, i, done):
                return self._value(value, env, done)[i]
        raise Undefined("no condition holds")

    def _holds(
        self, tree: Tree, env: Mapping[str, Vector], i: int, done: dict[int, Vector]
    ) -> bool:
        tag = tree[0]
        if tag == "and":
            return all([self._holds(c, env, i, done) for c in tree[1:]])
        if tag == "or":
            return any([self._holds(c, env, i, done) for c in tree[1:]])
        if tag == "not":
            return not self._holds(tree[1], env, i, done)
        if tag != "compare":
            raise Unsupported(f"'{tag}' is no condition")
        left, right = self._value(tree[2], env, done)[i], self._value(tree[3], env, done)[i]
        return self.numbers.compare(left, right) in RELATIONS[tree[1]]

    def _reduce(self, tag: str, values: Vector) -> Number:
        n = self.numbers
        total: Number = ZERO
        for value in values:
            total = n.add(total, value if tag == "mean" else n.power(value, Fraction(2)))
        if tag == "mean":
            return n.multiply(total, Fraction(1, len(values)))
        return n.root(total, 2)


def _sum(n: Numbers, args: Sequence[Number]) -> Number:
    total: Number = ZERO
    for a in args:
        total = n.add(total, a)
    return total


def _product(n: Numbers, args: Sequence[Number]) -> Number:
    total: Number = ONE
    for a in args:
        total = n.multiply(total, a)
    return total


def _largest(n: Numbers, args: Sequence[Number]) -> Number:
    if all(isinstance(a, Fraction) for a in args):
        return max(a for a in args if isinstance(a, Fraction))
    balls = [n.ball(a) for a in args]
    return (max(b[0] for b in balls), max(b[1] for b in balls))


def _smallest(n: Numbers, args: Sequence[Number]) -> Number:
    return n.negate(_largest(n, [n.negate(a) for a in args]))


def _absolute(n: Numbers, args: Sequence[Number]) -> Number:
    (a,) = args
    if isinstance(a, Fraction):
        return abs(a)
    return (max(a[0], -a[1], 0), max(-a[0], a[1]))


_FUNCTIONS: Mapping[str, Callable[[Numbers, Sequence[Number]], Number]] = {
    "add": _sum,
    "mul": _product,
    "power": lambda n, args: n.power(args[0], args[1]),
    "max": _largest,
    "min": _smallest,
    "abs": _absolute,
    "sign": lambda n, args: Fraction(n.sign(args[0])),
}
