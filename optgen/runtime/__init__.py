"""What generated kernels need at run time: toolchains, a compile cache, loading, calling.

Imports the standard library and numpy only.
"""
