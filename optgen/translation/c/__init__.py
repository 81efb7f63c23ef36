"""C read back as terms: from the LLVM IR that clang makes of it, or from its source.

Two readers, `llvm` and `source`, give the same small code (`code`), which one machine
executes on symbols (`machine`): numbers are exact or linear in the number of elements
(`integers`), floats are terms. `kernels` compares what comes out with the kernel's IR.
"""
