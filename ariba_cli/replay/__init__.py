"""A report held against its round: the audit run again, and whom it names."""
