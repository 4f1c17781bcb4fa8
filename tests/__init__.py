"""The tests, named after the behaviour that they hold."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # There is a worker for each core, and libraries that start as many threads in each of them
    # mostly wait for each other. They read this when they are imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
