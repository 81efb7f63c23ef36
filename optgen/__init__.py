"""optgen."""
