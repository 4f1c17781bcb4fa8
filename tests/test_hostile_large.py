"""Files that ask for more than they are: of memory, of time, of the screen."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

from ariba_cli.audit import AuditSettings, audit
from ariba_cli.errors import RefusedFileError
from ariba_cli.inspection import inspect_round
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.formats import open_model
from ariba_cli.rounds.model import Extent, Terms
from ariba_cli.rounds.tensors import to_array
from fixtures.hostile.weights import stored
from tests.models import random_model, write_flat_round, write_model

# What a machine may take that is busy with other things.
SECONDS = 5.0


def refused(path: Path, terms: Terms | None = None) -> str:
    """Why a file or folder is refused, which must not take long."""
    started = time.monotonic()
    with pytest.raises(RefusedFileError) as caught:
        list(open_model(path, terms or Terms()).floats())
    assert time.monotonic() - started < SECONDS
    assert len(str(caught.value)) < 1500
    return str(caught.value)


def test_an_adapter_with_more_patterns_than_can_be_compared(tmp_path: Path) -> None:
    left, right = np.ones((2, 1)), np.ones((1, 2))
    factors = {f"m{index}.lora_A": right for index in range(1000)}
    factors |= {f"m{index}.lora_B": left for index in range(1000)}
    (tmp_path / "adapter_model.safetensors").write_bytes(stored(factors))
    patterns = {f"x{index}": 1 for index in range(100_000)}
    config = {"peft_type": "LORA", "alpha_pattern": patterns}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    assert "with 100,000 patterns" in refused(tmp_path)


def test_an_adapter_that_stands_for_more_values_than_can_be_formed(tmp_path: Path) -> None:
    """16 MB, and 2^42 values in the matrix that they make."""
    write_flat_round(tmp_path, 3)
    (tmp_path / "p9").mkdir()
    size = 2**21
    factors = {"m.lora_A": np.ones((1, size)), "m.lora_B": np.ones((size, 1))}
    (tmp_path / "p9" / "adapter_model.safetensors").write_bytes(stored(factors))
    (tmp_path / "p9" / "adapter_config.json").write_text('{"peft_type": "LORA", "lora_alpha": 1}')
    started = time.monotonic()
    found = inspect_round(open_round(tmp_path))
    assert time.monotonic() - started < SECONDS
    assert found.participants[3].norm == size


def test_running_out_of_memory_over_one_update_is_not_the_end_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of p9 alone: its values are twice as wide as those of the others."""
    write_flat_round(tmp_path / "round", 4)
    wide = {name: values.astype("f8") for name, values in random_model(9).items()}
    write_model(tmp_path / "round" / "p9.safetensors", wide)

    def values(self: Extent, raw: memoryview) -> object:
        if self.spec.dtype == "F64":
            raise MemoryError
        return to_array(self.spec, raw)

    monkeypatch.setattr(Extent, "values", values)
    round_ = open_round(tmp_path / "round")
    verdict = audit(round_, AuditSettings(layer="conv2"))
    assert len(verdict.ranking) == 4
    for findings in (verdict.findings, inspect_round(round_).findings):
        assert ("refused", "needs more memory than there is", "p9") in [
            (one.kind, one.detail, one.participant) for one in findings
        ]
