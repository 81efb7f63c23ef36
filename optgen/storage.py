"""Storage mixes: the types in which a kernel keeps parameter, gradient and states.

A mix is spelled `param-grad-state[-master]`, then `+stochastic` or `+kahan`:
`bfloat16-bfloat16-float32`, `bfloat16-bfloat16-bfloat16-float32`,
`bfloat16-float32-bfloat16+stochastic`. Arithmetic is float64 where one of the types
is, else float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as OneOf

from optgen.errors import UsageError, nearest
from optgen.ir import DType, Half, StorageType

TYPES: dict[str, StorageType] = {t.value: t for t in (*DType, *Half)}
_OPTIONS = ("kahan", "stochastic")
_EXAMPLE = "bfloat16-bfloat16-float32"


@dataclass(frozen=True, slots=True)
class Storage:
    """The types of a kernel's arrays.

    Attributes:
        param: Type of the parameter.
        grad: Type of the gradient.
        state: Type of every state of the parameter's shape.
        master: Type of an exact copy of the parameter, kept as a state; None for none.
        rounding: How what a step writes is rounded to bfloat16.
        kahan: Whether a state keeps what rounding takes off the parameter.

    Raises:
        UsageError: The mix makes no sense; it says why.
    """

    param: StorageType
    grad: StorageType
    state: StorageType
    master: StorageType | None = None
    rounding: OneOf["nearest", "stochastic"] = "nearest"
    kahan: bool = False

    def __post_init__(self) -> None:
        for problem, fix in self._problems():
            raise UsageError(f"storage '{self}': {problem}", fix=fix)

    def __str__(self) -> str:
        return "-".join(t.value for t in self.types) + "".join(f"+{o}" for o in self._options)

    @property
    def types(self) -> tuple[StorageType, ...]:
        """Types in the order in which they are spelled."""
        master = () if self.master is None else (self.master,)
        return (self.param, self.grad, self.state, *master)

    @property
    def identifier(self) -> str:
        """The mix in identifiers and file names."""
        return "_".join((*(t.value for t in self.types), *self._options))

    @property
    def arithmetic(self) -> DType:
        """The type in which stages compute."""
        return DType.FLOAT64 if DType.FLOAT64 in self.types else DType.FLOAT32

    @property
    def uniform(self) -> bool:
        """Whether this is a kernel that is always generated: one type for everything."""
        plain = self.master is None and not self._options
        return plain and set(self.types) == {self.arithmetic}

    @property
    def _options(self) -> tuple[str, ...]:
        stochastic = ("stochastic",) if self.rounding == "stochastic" else ()
        return (*(("kahan",) if self.kahan else ()), *stochastic)

    def _problems(self) -> list[tuple[str, str]]:
        """Return what is wrong, and what to do instead."""
        found = []
        halves = [t.value for t in self.types if isinstance(t, Half)]
        if halves and self.arithmetic is DType.FLOAT64:
            found.append(
                (
                    f"{halves[0]} beside float64 buys nothing: a gradient or a parameter of 16 "
                    "bits has no digits that float64 keeps and float32 loses",
                    "use float32 for the wide arrays",
                )
            )
        if self.master is not None and self.master.size <= self.param.size:
            found.append(
                (
                    f"a master copy in {self.master.value} holds no more than the parameter "
                    f"in {self.param.value}",
                    "give a wider type for it, or leave it out",
                )
            )
        if self.kahan and self.master is not None:
            found.append(
                (
                    "a master copy already keeps what rounding takes off the parameter",
                    "leave out '+kahan' or the fourth type",
                )
            )
        if self.kahan and self.param is self.arithmetic:
            found.append(
                (
                    f"'+kahan' keeps what rounding to the parameter's type takes off, and "
                    f"{self.param.value} is the type of the arithmetic: nothing is taken off",
                    "leave it out, or keep the parameter in bfloat16 or float16",
                )
            )
        if self.rounding == "stochastic":
            found += self._stochastic_problems()
        return found

    def _stochastic_problems(self) -> list[tuple[str, str]]:
        written = (self.param, self.state)
        if self.kahan or self.master is not None:
            other = "'+kahan'" if self.kahan else "a master copy"
            return [
                (
                    f"'+stochastic' and {other} are two ways to keep what rounding takes off",
                    "choose one of them",
                )
            ]
        if Half.FLOAT16 in written:
            return [
                (
                    "'+stochastic' rounds to bfloat16 only: float16 has subnormals among ordinary "
                    "values, where 16 bits below the last do not line up",
                    "use bfloat16 in place of float16, or leave '+stochastic' out",
                )
            ]
        if Half.BFLOAT16 not in written:
            return [
                (
                    "'+stochastic' rounds to bfloat16, and neither parameter nor states are",
                    "leave it out, or keep the parameter in bfloat16",
                )
            ]
        return []


def parse_storage(text: str) -> Storage:
    """Read the spelling of a mix.

    Raises:
        UsageError: It is not one, or the mix makes no sense.
    """
    spelled, *options = text.split("+")
    names = spelled.split("-")
    if len(names) not in (3, 4):
        raise UsageError(
            f"storage '{text}' names {len(names)} types",
            fix=f"spell it param-grad-state or param-grad-state-master, as in {_EXAMPLE}",
        )
    for name in names:
        if name not in TYPES:
            raise UsageError(f"storage '{text}': no type '{name}'", fix=nearest(name, TYPES))
    for option in options:
        if option not in _OPTIONS:
            raise UsageError(
                f"storage '{text}': no option '+{option}'", fix=nearest(option, _OPTIONS)
            )
    master = TYPES[names[3]] if len(names) == 4 else None
    return Storage(
        TYPES[names[0]],
        TYPES[names[1]],
        TYPES[names[2]],
        master,
        "stochastic" if "stochastic" in options else "nearest",
        "kahan" in options,
    )
