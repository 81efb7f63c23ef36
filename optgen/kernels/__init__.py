"""The kernels that come with optgen: `from optgen.kernels.numpy import adamw`.

The modules are the generated ones, unchanged: importing one needs NumPy alone.
"""

from optgen.paths import GENERATED

__path__ = [str(GENERATED)]
