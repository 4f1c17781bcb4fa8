"""The tests, named after the behaviour that they hold."""
