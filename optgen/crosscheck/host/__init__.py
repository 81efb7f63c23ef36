"""The level `host`: CUDA text compiled as C++ and run at large sizes, and C under sanitizers.

Everything runs in child processes: what is broken may crash there, and no sanitizer is
ever loaded into Python.
"""
