"""The ground that all other rooms stand on: errors, findings, ids, and what the machine offers."""
