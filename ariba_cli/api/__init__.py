"""The public Python API: what `import ariba_cli as ariba` shows, and the command line calls."""
