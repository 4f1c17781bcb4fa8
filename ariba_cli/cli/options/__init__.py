"""Options of the command line, by subject; each is defined once."""
