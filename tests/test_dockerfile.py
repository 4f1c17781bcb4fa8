"""The image: it holds what the auditor needs, and runs as nobody."""

import re
import tomllib

from tests.conftest import REPOSITORY

_, *STAGES = (REPOSITORY / "Dockerfile").read_text("utf-8").split("\nFROM ")


def test_it_is_built_of_what_the_package_is_built_of() -> None:
    config = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    project, wheel = config["project"], config["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {"pyproject.toml", "requirements.txt", project["readme"], *project["license-files"]}
    needed |= {*wheel["packages"], wheel["hooks"]["custom"]["path"]}
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", STAGES[0], re.MULTILINE)
    assert set(" ".join(copied).split()) == needed
    ignored = (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines()
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == needed


def test_it_runs_as_nobody_of_a_python_that_will_do() -> None:
    (user,) = re.findall(r"^USER ([0-9]+):[0-9]+$", STAGES[-1], re.MULTILINE)
    assert int(user) > 0
    assert len(STAGES) == 2
    versions = re.findall(r"python:3\.([0-9]+)", "".join(STAGES))
    assert len(set(versions)) == 1
    assert int(versions[0]) >= 11
