"""The check of a report against its round: the audit run again, and the participants it names."""
