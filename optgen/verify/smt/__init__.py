"""A second opinion from z3, where it is installed."""
