"""Commands whose libraries are not installed say which extra brings them."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ariba_cli.base.extras import _MODULES, device_at_hand
from tests.conftest import FIXTURES, REPOSITORY, environment

ABSENT = """
import sys
class Without:
    def __init__(self, finder): self.finder = finder
    def find_spec(self, name, path=None, target=None):
        absent = name.partition(".")[0] in {names}
        return None if absent else self.finder.find_spec(name, path, target)
sys.meta_path[:] = map(Without, sys.meta_path)
"""
COMMAND = "from ariba_cli.cli.app import main; sys.exit(main())"
OF_ALL = sorted(name for names in _MODULES.values() for name in names)


def without(names: list[str], script: str, folder: Path, *arguments: object) -> tuple[int, str]:
    """Run a script where these modules cannot be imported; return its exit code and messages."""
    done = subprocess.run(
        [sys.executable, "-c", ABSENT.format(names=names) + script, *map(str, arguments)],
        cwd=folder,
        env=environment(),
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize(
    ("arguments", "missing", "extra"),
    [
        (["simulate", "new"], "torch", "simulate"),
        (["attack", FIXTURES / "clean", "--out", "new"], "torch", "simulate"),
        (["evaluate", FIXTURES / "clean" / "global.safetensors"], "torch", "simulate"),
        (["arena", REPOSITORY / "examples/arena/tiny.toml", "--out", "new"], "torch", "simulate"),
        (["audit", FIXTURES / "clean", "--detector", "pyod:ECOD"], "pyod", "pyod"),
        (["audit", FIXTURES / "clean", "--device", "cuda"], "torch", "simulate"),
        (["audit", FIXTURES / "clean", "--cluster", "local"], "distributed", "cluster"),
    ],
    ids=lambda given: str(given[0]) if isinstance(given, list) else given,
)
def test_a_command_names_the_extra_that_it_lacks(
    tmp_path: Path, arguments: list[object], missing: str, extra: str
) -> None:
    code, said = without(OF_ALL, COMMAND, tmp_path, *arguments)
    assert code == 2
    assert f" needs {missing}, which is not installed; pip install 'ariba-cli[{extra}]'" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_an_audit_and_its_verification_need_none_of_them(tmp_path: Path) -> None:
    round_ = FIXTURES / "attacked"
    audited = without(OF_ALL, COMMAND, tmp_path, "audit", round_, "-f", "json", "-o", "r.json")
    assert audited == (0, "")
    code, said = without(OF_ALL, COMMAND, tmp_path, "verify", "r.json", round_)
    assert (code, said.startswith("the same: ")) == (0, True)


def test_without_torch_no_card_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert device_at_hand("auto") == "cpu"


def test_the_modules_of_an_extra_are_those_of_its_distributions() -> None:
    config = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    for extra, modules in _MODULES.items():
        asked = [one.partition(">")[0] for one in config["optional-dependencies"][extra]]
        assert {one.replace("scikit-learn", "sklearn") for one in asked} == set(modules)
    assert config["optional-dependencies"]["all"] == ["ariba-cli[simulate,pyod,remote]"]
