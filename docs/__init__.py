"""The documentation, and what of it is made by a script."""
