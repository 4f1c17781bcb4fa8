"""The results of an arena → JSON, schema `arena-1.0.0`."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ariba_cli.arena.config import Config
from ariba_cli.reports.canonical import RunRecord, document, rounded_all

SCHEMA_VERSION = "1.0.0"
# Of a cell's record, what is the same on every machine.
_SAME = ("name", "federation", "attack", "defence", "status", "error", "commands")


def arena_json(config: Config, records: Sequence[dict[str, Any]], run: RunRecord) -> bytes:
    """Return the bytes of the results.

    Parameters
    ----------
    config : Config
        The config of the arena.
    records : sequence of dict
        The record of each cell.
    run : RunRecord
        The record of the run.
    """
    seconds = {record["name"]: record["seconds"] for record in records}
    return document(SCHEMA_VERSION, result(config, records), run, parts={"seconds": seconds})


def result(config: Config, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the part that is the same on every machine, from which the page is made.

    Parameters
    ----------
    config : Config
        The config of the arena.
    records : sequence of dict
        The record of each cell.
    """
    return {
        "title": config.title,
        "config_sha256": config.sha256,
        "attacks": [attack.name for attack in config.attacks],
        "defences": [defence.name for defence in config.defences],
        "cells": [
            {key: record[key] for key in _SAME} | {"measures": record.get("measures")}
            for record in records
        ],
        "published": [rounded_all(asdict(one)) for one in config.published],
    }
