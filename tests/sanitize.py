"""`python -m tests.sanitize --seconds 600`: the kernels' tests under sanitizers, over and over.

The kernels are compiled with AddressSanitizer and UndefinedBehaviorSanitizer, given other random
input in each turn, and compiled as they were before at the end.
"""

import argparse
import os
import subprocess
import sys
import time

from ariba_cli.native.build import compile_kernels

_FLAGS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_LIBRARIES = ("libasan.so", "libubsan.so")
_TESTS = ("tests/test_native.py", "tests/test_gathering.py")


def main() -> int:
    """Return 1 when a test failed, or a sanitizer found something."""
    parser = argparse.ArgumentParser(prog="python -m tests.sanitize")
    parser.add_argument("--seconds", type=float, default=60)
    seconds: float = parser.parse_args().seconds
    why = compile_kernels(_FLAGS)
    if why:
        raise SystemExit(why)
    try:
        return _turns(time.monotonic() + seconds)
    finally:
        compile_kernels()


def _turns(end: float) -> int:
    compiler = os.environ.get("CC", "cc")
    paths = [
        subprocess.check_output([compiler, f"-print-file-name={name}"], text=True).strip()
        for name in _LIBRARIES
    ]
    # Python leaves memory to the system when it ends, which is no leak of ours.
    environment = {
        **os.environ,
        "LD_PRELOAD": ":".join(paths),
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTHONMALLOC": "malloc",
    }
    turn = 0
    while turn == 0 or time.monotonic() < end:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        command += [f"--hypothesis-seed={time.time_ns()}", "-k", "not ariba and not version"]
        if subprocess.run([*command, *_TESTS], env=environment, check=False).returncode:
            return 1
        turn += 1
    print(f"{turn} turns, nothing found")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
