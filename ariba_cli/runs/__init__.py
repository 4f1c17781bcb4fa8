"""A run on disk: what it was asked for, `run.json`, its rounds, and how it is taken up again.

It stands above the federation and the attacks, which know nothing of files.
"""
