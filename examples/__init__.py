"""Scripts that use the command, to be copied or learned from."""
