"""Launches generated CUDA kernels: `optgen.load_kernel(name, target="cuda")`.

`driver` is NVIDIA's driver library through ctypes, `arrays` reads whatever lies on a device
(torch, CuPy, JAX, Numba, PyCUDA, DLPack), `description` says how a generated file is called,
`images` gets machine code for a device, `launchers` has two ways to launch it, and `kernel`
puts them behind the calling convention of every other target.
"""
