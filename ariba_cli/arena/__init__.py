"""Attacks held against defences: a config, the cells that it makes, their results, their page."""
