"""The updates of a round, checked: their intake, their layers, and the fragments of those."""
