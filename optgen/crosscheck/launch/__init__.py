"""The level `launch`: launchers run to the end against a driver that is not one.

`standin.c` is a library with the names of NVIDIA's driver. Its device memory is the host's, apart
from everything else; it knows what was allocated, where and by whom, and refuses a launch whose
arguments are not what the kernel's signature says. What it launches is the same CUDA text,
compiled as C++ (`optgen.crosscheck.host`). It shows that launchers pass the right arguments,
never that anything runs on a GPU.
"""
