"""Writes a finished proof down for `optgen.checker`."""
