"""The published schemas: complete, versioned, and printed by the command."""

import hashlib
import importlib
import json
import pkgutil

import jsonschema
import pytest

from ariba_cli import arena, reports
from ariba_cli.base.errors import UsageError
from ariba_cli.base.findings import OF_HISTORY, FindingKind
from ariba_cli.reports.published import SUMS, folder, schema, versions
from tests.conftest import Ariba


def written_versions() -> dict[str, str]:
    """Return, by report, the version that the module that writes it declares."""
    found = {}
    for room in (reports, arena):
        for module in pkgutil.iter_modules(room.__path__):
            if module.name.endswith("_json"):
                writer = importlib.import_module(f"{room.__name__}.{module.name}")
                found[module.name.removesuffix("_json").replace("_", "-")] = writer.SCHEMA_VERSION
    return found


def listed_sums() -> dict[str, str]:
    lines = (folder() / SUMS).read_text().splitlines()
    return {name: digest for digest, name in (line.split("  ") for line in lines)}


def test_every_report_is_written_in_the_version_of_its_schema() -> None:
    assert written_versions() == versions()


def test_there_is_one_schema_of_each_name_and_nothing_else() -> None:
    files = {f"{name}-{version}.schema.json" for name, version in versions().items()}
    assert {entry.name for entry in folder().iterdir()} == files | {SUMS}


def test_a_published_schema_does_not_change_without_a_new_version() -> None:
    listed = listed_sums()
    assert list(listed) == sorted(listed)
    for name, version in versions().items():
        file = f"{name}-{version}.schema.json"
        assert listed.get(file) == hashlib.sha256(schema(name)).hexdigest(), (
            f"{file} is not as {SUMS} has it: what was released gets a new version and a new line"
        )


@pytest.mark.parametrize("name", list(versions()))
def test_a_schema_says_which_version_it_is_of(name: str) -> None:
    described = json.loads(schema(name))
    jsonschema.Draft202012Validator.check_schema(described)
    version = versions()[name]
    assert described["$id"] == f"urn:ariba:schema:{name}-{version}"
    assert described["properties"]["schema_version"]["const"] == version


@pytest.mark.parametrize(
    ("name", "never"),
    [
        ("audit", OF_HISTORY),
        ("diff", set()),
        ("history", set(FindingKind) - OF_HISTORY),
        ("inspect", {FindingKind.LAYER_LEFT_OUT, *OF_HISTORY}),
    ],
)
def test_a_schema_knows_every_kind_of_finding(name: str, never: set[FindingKind]) -> None:
    finding = json.loads(schema(name))["$defs"]["finding"]
    assert set(finding["properties"]["kind"]["enum"]) == set(FindingKind) - never


def test_no_other_schema_is_known() -> None:
    with pytest.raises(UsageError, match="did you mean 'audit'"):
        schema("adit")
    with pytest.raises(UsageError, match="use one of arena, audit, "):
        schema("../../x")


def test_the_command_prints_what_is_in_the_package(ariba: Ariba) -> None:
    listed = ariba("schema").stdout.decode()
    assert dict(line.split("\t") for line in listed.splitlines()) == versions()
    for name in versions():
        assert ariba("schema", name).stdout == schema(name)
    assert ariba("schema", "nothing").returncode == 2
