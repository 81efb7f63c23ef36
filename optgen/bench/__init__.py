"""Measures kernels beside what else computes the same rule."""
