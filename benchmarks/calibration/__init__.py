"""The tails of the panel: how much of each sign honest participants show in clean rounds."""
