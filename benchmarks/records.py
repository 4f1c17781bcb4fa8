"""Records of measurements: a line of JSON each, added to a file one by one."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import ariba_cli

Record = dict[str, Any]

# What decides whom a panel names, and how detectors score.
_METHOD = ("scoring", "detectors", "auditing", "updates")


def read_records(path: Path) -> list[Record]:
    """Return the records of a file, and remove from it a last line that was cut off."""
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        os.truncate(path, len(whole))
    return [json.loads(line) for line in whole.splitlines()]


def add_record(path: Path, record: Record) -> None:
    """Add a record, all of it or at most a line that `read_records` removes."""
    line = json.dumps(record, sort_keys=True, allow_nan=False).encode() + b"\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, line)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def latest(records: Iterable[Record], method: str) -> list[Record]:
    """Return the records that one method has made, each key once."""
    found = {one["key"]: one for one in records if one["method"] == method}
    return [found[key] for key in sorted(found)]


def method_digest() -> str:
    """Return a digest of the code that decides whom an audit names: other code, other figures."""
    package, digest = Path(ariba_cli.__file__).parent, hashlib.sha256()
    for room in _METHOD:
        for path in sorted((package / room).rglob("*")):
            if path.suffix in (".py", ".json"):
                digest.update(path.relative_to(package).as_posix().encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


# States of the code that gave the same figures: the first on all rounds that are published, the
# others on 30 and 60 of them, drawn by chance. What lies between is reads and sums done in other
# ways.
_SAME = (
    frozenset({"47f38ef441050888", "3d1b5dc0a1e20066", "69f18a7906031ab2"}),
    # Only docstrings differ.
    frozenset({"b2e10ddf2ccf5e50", "c47f837aa0ae0ca1"}),
    # The third divides reads and quick sums in another way, on which no result depends.
    frozenset({"c10f832331b7ea20", "dd20099a10f370cb", "e734ea1d6d853b41"}),
)


def is_one_method(digests: set[str]) -> bool:
    """Return whether records of these digests may stand in one table.

    Parameters
    ----------
    digests : set of str
        As `method_digest` returned them when the records were made.
    """
    return len(digests) == 1 or any(digests <= same for same in _SAME)
