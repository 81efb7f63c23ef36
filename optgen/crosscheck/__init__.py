"""Runs compiled kernels and compares them with each other and with the rule they came from."""
