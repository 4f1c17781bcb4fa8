"""The rooms of the package: every import points down the list, and none goes in a circle."""

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PACKAGE = "ariba_cli"
# The longest module that a reader can hold in mind.
MOST_LINES = 400

# From the ground up: a room may import itself and those before it in the list, unless the
# table below names fewer. Nothing imports hosts, which are for whoever runs a federation.
ROOMS = (
    "base",
    "native",
    "files",
    "formats",
    "rounds",
    "updates",
    "scoring",
    "detectors",
    "verdicts",
    "auditing",
    "aggregation",
    "federated",
    "attacks",
    "runs",
    "reports",
    "replay",
    "api",
    "arena",
    "cli",
    "hosts",
)
FEWER = {
    "files": {"base"},
    "verdicts": {"base"},
    # It runs commands as processes, and calls none of what they call.
    "arena": {"base", "files", "reports"},
    "federated": {"base", "files", "formats", "rounds", "updates", "aggregation"},
    "hosts": {"base", "files", "formats", "rounds", "updates", "verdicts", "auditing", "api"},
}


def modules() -> dict[str, Path]:
    """Return every module of the package by its dotted name."""
    found = {}
    for path in sorted((REPOSITORY / PACKAGE).rglob("*.py")):
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str) -> Iterator[str]:
    """Yield the modules of the package that one imports, wherever in it the import stands."""
    known = modules()
    for node in ast.walk(ast.parse(known[name].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} has a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                target = inner if inner in known else node.module
                if target in known:
                    yield target


@cache
def arrows() -> dict[str, frozenset[str]]:
    return {name: frozenset(imports(name)) - {name} for name in modules()}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_the_list_has_every_room() -> None:
    folders = {path.name for path in (REPOSITORY / PACKAGE).iterdir() if path.is_dir()}
    assert folders - {"__pycache__"} == set(ROOMS)


@pytest.mark.parametrize("name", ROOMS)
def test_every_import_points_down_the_list(name: str) -> None:
    allowed = FEWER.get(name, set(ROOMS[: ROOMS.index(name)])) | {name}
    wrong = [
        f"{module} imports {target}"
        for module, targets in arrows().items()
        if room(module) == name
        for target in targets
        if room(target) not in allowed | {""}
    ]
    assert not wrong


def test_no_two_modules_import_each_other() -> None:
    """Nor do any more of them in a circle: a package counts as its `__init__`."""
    done: set[str] = set()

    def follow(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " → ".join((*way[way.index(module) :], module))
        if module in done:
            return
        for target in sorted(arrows()[module]):
            follow(target, (*way, module))
        done.add(module)

    for module in modules():
        follow(module, ())


def test_the_test_above_finds_a_circle(monkeypatch: pytest.MonkeyPatch) -> None:
    circle = ["ariba_cli.base.errors", "ariba_cli.base.findings", "ariba_cli.base.errors"]
    added = {first: frozenset({second}) for first, second in pairwise(circle)}
    found = {**arrows(), **added}
    monkeypatch.setitem(globals(), "arrows", lambda: found)
    with pytest.raises(AssertionError, match=r"errors → .*findings → .*errors"):
        test_no_two_modules_import_each_other()


def test_no_module_is_too_long() -> None:
    long = {
        name: lines
        for name, path in modules().items()
        if (lines := len(path.read_text("utf-8").splitlines())) > MOST_LINES
    }
    assert not long


def test_the_source_distribution_has_whatever_its_tests_need() -> None:
    if not (REPOSITORY / ".git").exists():
        pytest.skip("this is no repository, but perhaps the distribution itself")
    config = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    included = set(config["tool"]["hatch"]["build"]["targets"]["sdist"]["include"])
    listed = subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    tracked = {name.split("/")[0] for name in listed.stdout.splitlines()}
    assert tracked - included <= {"pyproject.toml", ".gitignore"}
