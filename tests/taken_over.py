"""A reader that does what the file says, as one that has been taken over would."""

import os
from pathlib import Path

import pytest

from fixtures.hostile.weights import RAW
from tests.conftest import REPOSITORY
from tests.models import write_flat_round

SIGNATURE = b"\x89HDF\r\n\x1a\n"
SOUND = "{'tensors': [['conv2.weight', 'F32', [8, 4, 3, 3], 8]], 'skipped': []}"

# Takes the place of the module that uses the HDF5 library, which has no crash that lasts
# through its versions: what a file has after its values is done, and is the answer.
LIBRARY = '''
import mmap, os, resource, signal, socket, sys, time, types

def tensors(stream, limits, group):
    data = os.pread(stream.fileno(), 10_000, 0)
    return eval(data[8 + 1152:].rstrip(b"\\0")), ()

def values(stream, limits, group, tensor):
    return None, [bytes(5000)]

def say(data):
    """Answer with these bytes, on whichever file takes them."""
    for descriptor in range(100):
        try:
            os.write(descriptor, data)
        except OSError:
            pass

def error_number(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        return error.errno
    return 0

def error_of(call, *arguments):
    """End with the number of the error that it raises, or with 99 where it is allowed."""
    try:
        call(*arguments)
    except OSError as error:
        os._exit(error.errno)
    os._exit(99)

library = types.ModuleType("ariba_cli.formats.isolation.hdf5")
library.QUESTIONS = {"tensors": tensors, "values": values}
library.COPIES = 0
library.try_out = lambda: None
sys.modules[library.__name__] = library
'''


def hdf5(answer: str) -> bytes:
    return SIGNATURE + RAW + answer.encode()


def write_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a round of six honest participants, and p6 and p8, who send what the child reads.

    From now on every child reads with the library above.
    """
    (tmp_path / "sitecustomize.py").write_text(LIBRARY)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{REPOSITORY}")
    root = write_flat_round(tmp_path / "round")
    for name in ("p6", "p8"):
        (root / f"{name}.h5").write_bytes(hdf5(SOUND))
    return root
