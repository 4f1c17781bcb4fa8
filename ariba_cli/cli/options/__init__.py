"""Options of the command line, by what they say; each is defined once."""
