"""The public Python API, that `import ariba_cli as ariba` shows and the command line calls."""
