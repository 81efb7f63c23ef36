"""A rule on paper: as plain text, LaTeX, an algorithm box, JSON, or against another rule."""
