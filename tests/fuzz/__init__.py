"""Fuzzing of everything that reads what participants send: `python -m tests.fuzz all`.

`targets` has a row per reader, `seeds` the sound files that it starts from, `mutators` what
is changed about them, `harness` what may come of it, and `worker` the search, guided by
coverage.
"""
