"""One module per language: how a version's sources become a program."""
