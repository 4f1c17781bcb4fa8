"""The pages of documentation: commands that they show work, and links lead somewhere."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import typer.main

from ariba_cli import audit
from ariba_cli.base.findings import FindingKind
from ariba_cli.cli.app import app
from ariba_cli.detectors import DETECTORS
from tests.conftest import FIXTURES, REPOSITORY, Ariba, environment
from tests.oracle import oracle

PAGES = sorted((REPOSITORY / "docs").glob("*.md"))
EXIT_CODE = re.compile(r"\s+# exit code ([0-9]+)$")
COMMANDS = getattr(typer.main.get_command(app), "commands", {})


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of code that are marked so; `sh` is to be run."""
    pattern = rf"^```{language}\n(.*?)^```"
    return re.findall(pattern, page.read_text(), flags=re.DOTALL | re.MULTILINE)


def lines(page: Path) -> list[str]:
    return "".join(blocks(page, "sh")).splitlines()


def used_in(line: str) -> set[str]:
    return set(re.findall(r"\bariba ([a-z]+)", line))


@pytest.mark.parametrize("page", [page for page in PAGES if lines(page)], ids=lambda p: p.name)
def test_every_command_of_a_page_works_in_that_order(
    request: pytest.FixtureRequest, tmp_path: Path, command_path: str, page: Path
) -> None:
    for name in ("attacked", "clean"):
        shutil.copytree(FIXTURES / name, tmp_path / "fixtures" / name)
    shutil.copy(FIXTURES / "run.json", tmp_path / "fixtures")
    (tmp_path / "runs").mkdir()
    commands = lines(page)
    if "runs/demo" in commands[0]:
        # It begins with what `make demo` does.
        demo = request.getfixturevalue("demo")
        shutil.copytree(demo.runs, tmp_path / "runs", dirs_exist_ok=True)
        commands = [line for line in commands if line not in demo.printed]
    for line in commands:
        code = EXIT_CODE.search(line)
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            cwd=tmp_path,
            env=environment(PATH=command_path),
            capture_output=True,
            check=False,
        )
        assert done.returncode == (int(code[1]) if code else 0), (line, done.stderr)
    # Whoever cleans up must be able to.
    subprocess.run(["chmod", "-R", "u+w", tmp_path], check=True)


def test_the_pages_show_no_command_that_there_is_not() -> None:
    for page in PAGES:
        for line in lines(page):
            assert used_in(line) <= set(COMMANDS), (page.name, line)


def test_the_table_that_is_explained_is_the_one_that_is_printed(ariba: Ariba) -> None:
    shown = blocks(REPOSITORY / "docs" / "reading-a-report.md", "text")
    asked = (("attacked",), ("clean",), ("attacked", "--k-est", "20%"))
    for (name, *options), table in zip(asked, shown, strict=True):
        printed = ariba("audit", FIXTURES / name, *options).stdout.decode().splitlines()
        lines = [line for line in table.splitlines() if line.strip() != "…"]
        assert [line for line in lines if line not in printed] == []


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    for page in PAGES:
        for path, _, anchor in re.findall(
            r"\]\((?!https?:)([^)#]*)(#([^)]+))?\)", page.read_text()
        ):
            target = (page.parent / path) if path else page
            assert target.exists(), (page.name, path)
            if anchor:
                assert anchor in anchors(target.read_text()), (page.name, path, anchor)


def anchors(text: str) -> set[str]:
    """Return the names of a page's headings in links."""
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def test_every_page_is_in_the_index() -> None:
    index = (REPOSITORY / "docs" / "README.md").read_text()
    site = (REPOSITORY / "mkdocs.yml").read_text()
    for page in PAGES:
        assert page.name == "README.md" or f"]({page.name})" in index
        assert re.search(rf"^ +- (.*: )?{re.escape(page.name)}$", site, re.MULTILINE)


def test_every_finding_is_explained() -> None:
    text = (REPOSITORY / "docs" / "reading-a-report.md").read_text()
    for kind in FindingKind:
        assert f"`{kind.value}`" in text


def test_the_method_in_a_few_lines_is_the_method() -> None:
    (code,) = blocks(REPOSITORY / "docs" / "method.md", "python")
    shown: dict[str, object] = {}
    exec(code, shown)
    weights = np.random.default_rng(0).normal(size=(12, 40, 9))
    weights[3] *= 5
    found = shown["shares"](weights, 3)  # type: ignore[operator]
    assert (found * 40).tolist() == oracle(list(weights), 40, 9, 3).scores


def test_what_a_first_audit_prints_is_what_the_page_shows(ariba: Ariba) -> None:
    (shown,) = blocks(REPOSITORY / "docs" / "first-audit.md", "text")
    assert ariba("audit", FIXTURES / "attacked", "--top", "5").stdout.decode() == shown


def test_what_cannot_be_run_here_is_what_the_commands_take() -> None:
    found = [
        line
        for name in ("flower-tutorial.md", "adding-a-detector.md")
        for line in "".join(blocks(REPOSITORY / "docs" / name, "text")).splitlines()
        if line.startswith("ariba ")
    ]
    assert len(found) == 5
    for line in found:
        _, name, *words = shlex.split(line)
        if "--list-detectors" not in words:
            COMMANDS[name].make_context(name, words)


def test_the_detector_of_the_tutorial_finds_who_attacks(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = blocks(REPOSITORY / "docs" / "adding-a-detector.md", "python")
    module = ModuleType("ariba_cli.detectors.mean_distance")
    exec(code, vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(DETECTORS, "mean-distance", "mean_distance")
    verdict = audit(FIXTURES / "attacked", detectors="mean-distance", k_est=4)
    assert {one.id for one in verdict.suspects[:2]} == {"p15", "p18"}


@pytest.mark.parametrize("code", blocks(REPOSITORY / "docs" / "python.md", "python"))
def test_every_example_in_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    (tmp_path / "fixtures").symlink_to(FIXTURES)
    monkeypatch.chdir(tmp_path)
    exec(code, {})
