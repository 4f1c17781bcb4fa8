"""The attacker: triggers (what is put into the data) and strategies (what is done to the update).

One file each. A new one is a file in its folder, a line in the folder's registry, and
a row in the test that covers all of its kind.
"""
