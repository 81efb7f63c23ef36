"""Two rules side by side: their runs, how their states match, what all runs keep."""
