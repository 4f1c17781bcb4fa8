"""The base of all other rooms: errors, findings, ids, and the machine's resources."""
