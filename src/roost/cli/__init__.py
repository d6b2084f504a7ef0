"""The command line: it wires the other rooms together and decides nothing itself."""
