"""The tails of the panel: the values of each sign that honest participants show in clean rounds."""
