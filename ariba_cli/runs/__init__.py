"""A run on disk: its settings in `run.json`, its rounds, and the means to resume it.

It stands above the federation and the attacks, which know nothing of files.
"""
