"""Integer code on the bits of values: which conversions between types it is.

`words` writes the operations down, `recipes` numbers their values, so that words built alike
are looked at once, `conversions` decides which conversion one is, as `vectors` of functions
that `diagrams` holds.
"""
