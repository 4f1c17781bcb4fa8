"""Commands that train nothing start at once: they import nothing heavy."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import FIXTURES, environment

HEAVY = {"torch", "scipy", "pyod", "matplotlib", "sklearn", "numba", "pandas", "pooch", "requests"}
SCRIPT = """
import json, sys
from ariba_cli.cli.app import main
code = main()
print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]), file=sys.stderr)
"""


def imported(*arguments: object) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)],
        env=environment(),
        capture_output=True,
        check=True,
    )
    code, names = json.loads(done.stderr.splitlines()[-1])
    assert code == 0
    return set(names)


@pytest.mark.parametrize(
    ("arguments", "also"),
    [
        (["--help"], {"numpy", "rich", "h5py", "safetensors"}),
        (["simulate", "--help"], {"numpy", "h5py", "safetensors"}),
        (["attack", "--help"], {"numpy", "h5py", "safetensors"}),
        (["report", "--help"], {"numpy", "h5py", "safetensors", "msgspec"}),
        (["verify", "--help"], {"numpy", "h5py", "safetensors", "msgspec"}),
        (["diff", "--help"], {"numpy", "h5py", "safetensors", "msgspec"}),
        (["evaluate", "--help"], {"numpy", "h5py", "safetensors"}),
        (["schema", "audit"], {"numpy", "rich", "h5py", "safetensors"}),
        (["completion", "bash"], {"numpy", "rich", "h5py", "safetensors"}),
        (["audit", FIXTURES / "attacked"], {"h5py"}),
        (["audit", FIXTURES / "attacked", "--truth", "-f", "json"], {"h5py", "rich"}),
        (["audit", FIXTURES / "attacked", "-q", "-f", "csv"], {"h5py", "rich"}),
        (["audit", FIXTURES / "attacked", "--html", "/dev/null"], {"h5py"}),
        (["audit", "--list-detectors"], {"h5py", "safetensors"}),
        (["inspect", FIXTURES / "attacked"], {"h5py"}),
        (["inspect", FIXTURES / "clean" / "global.safetensors", "-f", "json"], {"h5py", "rich"}),
    ],
)
def test_import_budget(arguments: list[object], also: set[str]) -> None:
    assert not imported(*arguments) & (HEAVY | also)


def test_the_package_itself_imports_nothing() -> None:
    script = "import sys, ariba_cli; print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, check=True
    )
    assert not any(f"'{name}'" in done.stdout.decode() for name in HEAVY | {"numpy"})


def test_attacking_imports_no_compiler(tmp_path: Path) -> None:
    script = f"{SCRIPT}\nassert 'torch' in sys.modules and 'torch._dynamo' not in sys.modules"
    attack = ["attack", FIXTURES / "clean", "--out", tmp_path / "attacked", "--epochs", "1"]
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, attack)],
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
