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
MAKE_AGAIN = "make pins writes requirements.txt again"


def plain(name: str) -> str:
    """Return how the name of a distribution is compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def pins() -> dict[str, str]:
    """Return the version of each distribution that has hashes."""
    text = (REPOSITORY / "requirements.txt").read_text()
    body = "".join(line for line in text.splitlines(True) if not line.startswith("#"))
    found = list(PINNED.finditer(body))
    assert "".join(one[0] for one in found) == body
    return {plain(one["name"]): one["version"] for one in found}


@cache
def constraints() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {plain(name): version for name, version in pairs}


def asked_for() -> list[str]:
    config = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    asked = [*config["project"]["dependencies"], *config["build-system"]["requires"]]
    return [plain(re.split(r"[^A-Za-z0-9._-]", one)[0]) for one in asked]


@pytest.mark.parametrize("name", asked_for())
def test_what_is_asked_for_is_pinned(name: str) -> None:
    assert name in pins(), MAKE_AGAIN
    assert name in constraints()


def test_versions_are_those_that_are_tested() -> None:
    both = pins().keys() & constraints().keys()
    assert len(both) > len(asked_for())
    differing = {name for name in both if pins()[name] != constraints()[name]}
    assert not differing, MAKE_AGAIN
