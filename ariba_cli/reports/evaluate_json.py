"""The quality of a model → JSON, schema `evaluate-1.0.0`."""

import math
from dataclasses import asdict
from typing import Any

from ariba_cli.reports.canonical import RunRecord, document, rounded
from ariba_cli.runs.evaluating import ClassQuality, ModelEvaluation

SCHEMA_VERSION = "1.0.0"


def evaluate_json(found: ModelEvaluation, run: RunRecord) -> bytes:
    """Return the bytes of the report."""
    return document(SCHEMA_VERSION, _result(found), run)


def _result(found: ModelEvaluation) -> dict[str, Any]:
    settings, loss = found.settings, found.quality.loss
    return {
        "model": {
            "path": found.path,
            "format": found.format,
            "architecture": found.architecture,
            "files": [asdict(file) for file in found.files],
        },
        "dataset": {
            "name": found.dataset,
            "fingerprint": found.fingerprint,
            "test_samples": found.samples,
        },
        "accuracy": rounded(found.quality.accuracy),
        "loss": rounded(loss) if math.isfinite(loss) else None,
        "classes": [_class(one) for one in found.classes],
        "backdoor": {
            "target_class": settings.target_class,
            "seed": settings.seed,
            "most_images": settings.backdoor_images,
            "triggers": [
                {
                    "trigger": one.trigger,
                    "images": one.images,
                    "backdoor_accuracy": rounded(one.accuracy),
                }
                for one in found.backdoors
            ],
            "not_applicable": sorted(found.not_applicable),
        },
    }


def _class(one: ClassQuality) -> dict[str, Any]:
    return {
        "class": one.label,
        "samples": one.samples,
        "accuracy": None if one.accuracy is None else rounded(one.accuracy),
        "wrong": one.wrong,
        "mistaken_for": one.mistaken_for,
        "mistaken": one.mistaken,
    }
