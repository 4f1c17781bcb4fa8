"""The command line, one module per command: parse, call, print.

Only this room prints, exits or reads the environment. Commands import what they need
when they run, so that `ariba --help` starts at once.
"""
