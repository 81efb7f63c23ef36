"""The two array types every reference works on, and the state most of them start from."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
"""A parameter, a gradient or a state: any shape, float64 in the tests."""

State = dict[str, Array]
"""The states of one parameter under their torch names, changed in place."""


def zeros(param: Array, *names: str) -> State:
    """Return one zero array shaped and typed like `param` for each of `names`."""
    return {name: np.zeros_like(param) for name in names}
