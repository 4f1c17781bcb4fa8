"""Every command that the README shows works as it is written there, in that order."""

import json
import os
import re
import subprocess
from pathlib import Path

from tests.conftest import REPOSITORY, environment

README = (REPOSITORY / "README.md").read_text()
LIST = "find runs/demo -name 'round_*' -print0 | ariba audit --files0-from - -f json"
DEMO = [
    "ariba simulate runs/demo",
    "ariba attack runs/demo/round_0040 --out runs/demo/attacked",
    "ariba audit runs/demo/attacked --layer conv2 --k-est 10 --truth",
]


def test_the_five_commands(tmp_path: Path, command_path: str) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
    commands = "".join(blocks).splitlines()
    assert set(re.findall(r"\bariba (\w+)", "\n".join(commands))) == {
        "simulate",
        "attack",
        "convert",
        "inspect",
        "audit",
    }
    shown = {}
    for command in commands:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=environment(PATH=command_path),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, (command, done.stderr)
        shown[command] = done.stdout.decode()
    after = shown["ariba attack runs/demo/round_0040 --out runs/demo/attacked --k 5"]
    compromised = after.splitlines()[0].removeprefix("compromised").replace(",", "").split()
    table = shown["ariba audit runs/demo/attacked --layer conv2 --k-est 10"]
    suspects = [line.split()[1] for line in table.splitlines() if line.endswith("suspect")]
    assert len(suspects) == 10
    assert set(compromised) <= set(suspects)
    assert (tmp_path / "report.json").stat().st_size > 0
    (line,) = shown[LIST].splitlines()
    assert json.loads(line)["run"]["round"] == "runs/demo/round_0040"


def test_the_demo_is_what_the_readme_shows() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    demo = makefile.partition("\ndemo:")[2].partition("\n\n")[0]
    assert re.findall(r"\$\(RUN\)/(ariba .*)", demo) == DEMO
    for target in re.findall(r"^make (\w+)", README, flags=re.MULTILINE):
        assert f"\n{target}: " in makefile


def test_every_file_that_the_documents_link_to_exists() -> None:
    for document in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "fixtures/README.md"):
        text = (REPOSITORY / document).read_text()
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert os.path.exists(REPOSITORY / link), (document, link)
