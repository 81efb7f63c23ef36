"""`python -m optgen`: the same as the command `optgen`."""

from optgen.cli import main

if __name__ == "__main__":
    main(prog_name="optgen")
