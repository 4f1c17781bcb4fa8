"""The experiments of arXiv 2202.04311: scripts that run them, and code that collects results."""
