"""What an optimizer is: frozen data, checked when it is made.

An `OptimizerSpec` is a rule (an ordered tuple of `Let` and `Set`), the
hyperparameters and states that it speaks of, and where it is printed. A read
sees the latest write above it, so order means what it means in a paper's
algorithm box.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import sympy

from optgen import checks
from optgen.arithmetic import check_size
from optgen.assignment import Assignment, Let, Set, caller
from optgen.domains import NONNEGATIVE, REAL, STEP, Domain
from optgen.errors import Location, SpecError
from optgen.symbols import grad, param, step

__all__ = [
    "Assignment",
    "Hyperparameter",
    "Let",
    "OptimizerSpec",
    "Reference",
    "Set",
    "StateBuffer",
]

Shape = Literal["param", "scalar"]


def _parse_domain(domain: Domain | str, where: Location | None) -> Domain:
    if isinstance(domain, Domain):
        return domain
    try:
        return Domain.parse(domain)
    except ValueError as error:
        raise SpecError(
            str(error), where=where, fix="write for example '[0, 1)' or '(0, oo)'"
        ) from None


def _check_symbol(symbol: object, where: Location | None) -> None:
    if not isinstance(symbol, sympy.Symbol):
        raise SpecError(
            f"{symbol!r} is not a symbol",
            where=where,
            fix="import it from optgen.symbols, or make it with optgen.symbols.symbol('...')",
        )


def _exact(value: object, of: str, where: Location | None) -> Fraction:
    """Return a number as it is written: a float would be the binary number next to it."""
    try:
        return Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        raise SpecError(
            f"{of} is not a decimal number: {value!r}",
            where=where,
            fix="write it as text, for example '1e-3'",
        ) from None


@dataclass(frozen=True, slots=True)
class Hyperparameter:
    """A number the user chooses.

    Attributes:
        symbol: Its symbol.
        default: Exact decimal text (`"1e-3"`); becomes a Fraction.
        domain: Where it may lie: a `Domain` or text such as `"[0, 1)"`.
        doc: What it means and where it enters the formula.
        location: Filled in by itself.

    Raises:
        SpecError: The default is no decimal number or lies outside the domain.
    """

    symbol: sympy.Symbol
    default: Fraction | str
    domain: Domain | str = NONNEGATIVE
    doc: str = ""
    location: Location | None = None

    def __post_init__(self) -> None:
        where = self.location or caller()
        object.__setattr__(self, "location", where)
        _check_symbol(self.symbol, where)
        domain = _parse_domain(self.domain, where)
        object.__setattr__(self, "domain", domain)
        default = _exact(self.default, f"the default of '{self.symbol}'", where)
        try:
            check_size(default, str(self.default))
        except SpecError as error:
            raise SpecError(error.what, where=where, fix=error.fix) from None
        object.__setattr__(self, "default", default)
        if default not in domain:
            raise SpecError(
                f"the default {self.default} of '{self.symbol}' lies outside its domain {domain}",
                where=where,
                fix="change the default or the domain",
            )

    @property
    def name(self) -> str:
        """Name of the symbol."""
        return str(self.symbol.name)


@dataclass(frozen=True, slots=True)
class StateBuffer:
    """A value that the optimizer keeps from one step to the next.

    Attributes:
        symbol: Its symbol, under torch's name.
        initial: Its value before the first step, an exact rational.
        shape: `"param"` for one value per parameter, `"scalar"` for one per tensor.
        domain: What every step keeps true of it, for example `"[0, oo)"`.
        doc: What it holds.
        location: Filled in by itself.
    """

    symbol: sympy.Symbol
    initial: Fraction | str | int = 0
    shape: Shape = "param"
    domain: Domain | str = REAL
    doc: str = ""
    location: Location | None = None

    def __post_init__(self) -> None:
        where = self.location or caller()
        object.__setattr__(self, "location", where)
        _check_symbol(self.symbol, where)
        domain = _parse_domain(self.domain, where)
        object.__setattr__(self, "domain", domain)
        initial = _exact(self.initial, f"the initial value of '{self.symbol}'", where)
        object.__setattr__(self, "initial", initial)
        if self.shape not in ("param", "scalar"):
            raise SpecError(
                f"state '{self.symbol}' has the unknown shape {self.shape!r}",
                where=where,
                fix="write shape='param' or shape='scalar'",
            )
        if initial not in domain:
            raise SpecError(
                f"state '{self.symbol}' starts at {initial}, outside its domain {domain}",
                where=where,
                fix="change the initial value or the domain",
            )

    @property
    def name(self) -> str:
        """Name of the symbol."""
        return str(self.symbol.name)


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a formula is printed.

    Attributes:
        title: Title of the paper or document.
        url: Its address (https).
        year: Year of publication.
        where: Algorithm, section or equation number.

    Raises:
        SpecError: The address does not begin with `https://`.
    """

    title: str
    url: str
    year: int
    where: str = ""

    def __post_init__(self) -> None:
        if not self.url.startswith("https://"):
            raise SpecError(
                f"'{self.url}' is not the address of '{self.title}'",
                where=caller(),
                fix="give a link that begins with https://",
            )


def _check_parts(spec: OptimizerSpec) -> None:
    """Every part is a tuple of what it should hold: parentheses without a comma make none."""
    for name, kinds in (
        ("rule", (Let, Set)),
        ("hyperparameters", (Hyperparameter,)),
        ("state", (StateBuffer,)),
        ("inputs", (sympy.Symbol,)),
        ("references", (Reference,)),
        ("notes", (str,)),
    ):
        part = getattr(spec, name)
        words = " and ".join(kind.__name__ for kind in kinds)
        if not isinstance(part, tuple):
            raise SpecError(
                f"{name} is a {type(part).__name__}, not a tuple of {words}",
                where=spec.location,
                fix=f"write {name}=(..., ...), with a comma behind a single item too",
            )
        for item in part:
            if not isinstance(item, kinds):
                raise SpecError(
                    f"{name} holds '{item}', which is no {' or '.join(k.__name__ for k in kinds)}",
                    where=spec.location,
                    fix=f"write {kinds[-1].__name__}(...)",
                )


@dataclass(frozen=True, slots=True)
class OptimizerSpec:
    """One optimizer update rule.

    Attributes:
        name: What users type: `adamw`, `rmsprop:centered`.
        summary: One sentence.
        rule: The assignments, in order.
        hyperparameters: What the user chooses, in the order of the signature.
        state: What is kept between steps.
        family: Name of the family; by itself the part of `name` before `:` or `+`.
        full_name: `family[:variant][+modifier]...`; by itself `name`.
        choices: Where same-named rules differ, as (axis, choice) pairs.
        inputs: What a step is given besides the gradient.
        query: Where the gradient is taken, if not at the parameter.
        references: Where the rule is printed.
        notes: Where implementations differ.
        location: Filled in by itself.

    Raises:
        SpecError: An invariant of `optgen.checks` does not hold.
    """

    name: str
    summary: str
    rule: tuple[Assignment, ...]
    hyperparameters: tuple[Hyperparameter, ...] = ()
    state: tuple[StateBuffer, ...] = ()
    family: str = ""
    full_name: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    inputs: tuple[sympy.Symbol, ...] = ()
    query: sympy.Expr = param
    references: tuple[Reference, ...] = ()
    notes: tuple[str, ...] = ()
    location: Location | None = field(default=None, init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "location", caller())
        _check_parts(self)
        object.__setattr__(self, "full_name", self.full_name or self.name)
        family = self.full_name.split(":")[0].split("+")[0]
        object.__setattr__(self, "family", self.family or family)
        checks.check_spec(self)

    @property
    def identifier(self) -> str:
        """The name in files and generated code: `:` and `+` become `_`."""
        return self.name.replace(":", "_").replace("+", "_")

    @property
    def domains(self) -> dict[sympy.Symbol, Domain]:
        """The domain of every symbol that a step starts from, `step` included."""
        domains: dict[sympy.Symbol, Domain] = {step: STEP, param: REAL, grad: REAL}
        domains |= dict.fromkeys(self.inputs, REAL)
        items: tuple[Hyperparameter | StateBuffer, ...] = (*self.hyperparameters, *self.state)
        for item in items:
            assert isinstance(item.domain, Domain)
            domains[item.symbol] = item.domain
        return domains

    def _repr_latex_(self) -> str:
        from optgen.notation.notebook import as_latex

        return as_latex(self)

    def _repr_html_(self) -> str:
        from optgen.notation.notebook import as_html

        return as_html(self)

    def ssa(self) -> Iterator[tuple[Assignment, sympy.Symbol, sympy.Expr]]:
        """Yield each assignment with a symbol of its own and its value in such symbols.

        The first write of `x` is `x` renamed `x@1`, the second `x@2`; a read of a
        name not yet written keeps the plain symbol, which is its value before the step.
        """
        latest: dict[sympy.Symbol, sympy.Symbol] = {}
        counts: dict[sympy.Symbol, int] = {}
        for assignment in self.rule:
            value = assignment.value.xreplace(latest)
            target = assignment.target
            counts[target] = counts.get(target, 0) + 1
            version = sympy.Symbol(f"{target.name}@{counts[target]}", **target.assumptions0)
            yield assignment, version, value
            latest[target] = version
