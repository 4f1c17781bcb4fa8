"""The arena of attacks and defences: a config, its cells, their results, their page."""
