"""Find the participants of a federated-learning round whose updates look backdoored.

The package is a library first: every room returns data and raises `AribaError`
subclasses; only `ariba_cli.cli` prints, exits or reads the environment.
"""

__version__ = "0.1.0"
