"""`python -m ariba_cli`."""

from ariba_cli.cli.app import main

if __name__ == "__main__":
    raise SystemExit(main())
