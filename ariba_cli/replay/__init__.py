"""A report held against its round: the audit run again, and the suspects that it names."""
