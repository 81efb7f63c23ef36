"""Update rules written by hand from their papers: what the generated kernels are held against."""

from .table import REFERENCES, Reference

__all__ = ["REFERENCES", "Reference"]
