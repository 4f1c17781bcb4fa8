"""The results of audits as plain data, the comparison of two verdicts, and their validity."""
