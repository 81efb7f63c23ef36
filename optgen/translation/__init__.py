"""Compiled code, read back: is it the rule, and does it round where the IR rounds?

`terms` holds what all readers produce: the operations that a piece of code does to
one element, as a graph. One reader per form of code turns code into terms; `terms`
of two forms that are the same graph give the same bits for every input, and terms
read as real algebra are proved equal to a rule by `optgen.verify`.
"""
