"""Every dependency is pinned by its hashes, in the version that the tests run with."""

import re
import tomllib
from functools import cache

import pytest

from tests.conftest import REPOSITORY

PINNED = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;]+)(?P<marker> ; [^\\]+)?(?P<hashes>( \\\n"
    r" {4}--hash=sha256:[0-9a-f]{64})+)\n",
    re.MULTILINE,
)
MAKE_AGAIN = "make pins writes requirements.txt and requirements-all.txt again"
EXTRAS = {"requirements.txt": (), "requirements-all.txt": ("simulate", "pyod", "remote")}
FILES = pytest.mark.parametrize("file", EXTRAS)


def plain(name: str) -> str:
    """Return how the name of a distribution is compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def pins(file: str) -> dict[str, str]:
    """Return the version of each distribution that has hashes."""
    text = (REPOSITORY / file).read_text()
    body = "".join(line for line in text.splitlines(True) if not line.startswith("#"))
    found = list(PINNED.finditer(body))
    assert "".join(one[0] for one in found) == body
    return {plain(one["name"]): one["version"] for one in found}


@cache
def constraints() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {plain(name): version for name, version in pairs}


def asked_for(file: str) -> list[str]:
    config = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    asked = [*config["project"]["dependencies"], *config["build-system"]["requires"]]
    for extra in EXTRAS[file]:
        asked += config["project"]["optional-dependencies"][extra]
    return [plain(re.split(r"[^A-Za-z0-9._-]", one)[0]) for one in asked]


@FILES
def test_what_is_asked_for_is_pinned(file: str) -> None:
    assert set(asked_for(file)) <= pins(file).keys(), MAKE_AGAIN
    assert set(asked_for(file)) <= constraints().keys()


@FILES
def test_versions_are_those_that_are_tested(file: str) -> None:
    both = pins(file).keys() & constraints().keys()
    assert len(both) > len(asked_for(file))
    differing = {name for name in both if pins(file)[name] != constraints()[name]}
    assert not differing, MAKE_AGAIN
