"""Examples in docstrings come to what they show."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

from tests.conftest import FIXTURES, REPOSITORY

# Only these are imported, not every module.
MODULES = [
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
    for folder in ("ariba_cli", "benchmarks", "tests/fuzz")
    for path in sorted(Path(REPOSITORY, folder).rglob("*.py"))
    if ">>> " in path.read_text()
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_right(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fixtures").symlink_to(FIXTURES)
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
