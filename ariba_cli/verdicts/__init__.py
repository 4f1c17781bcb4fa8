"""What an audit found, as plain data; how two verdicts compare; whether one is valid."""
