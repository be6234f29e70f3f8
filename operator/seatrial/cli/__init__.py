"""The command line: the judge's own arithmetic, for people and for checking."""
