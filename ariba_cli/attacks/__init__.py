"""The attacker: triggers, which poison the data, and strategies, which change the update.

Each has a file of its own. A new one takes a file in its folder, a line in the folder's registry,
and a row in the test that covers all of its kind.
"""
