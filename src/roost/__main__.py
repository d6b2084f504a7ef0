"""`python -m roost` is the command `roost`."""

from roost.cli.start import main

if __name__ == "__main__":
    main()
