"""The experiments of arXiv 2202.04311: scripts that run them, and what collects the results."""
