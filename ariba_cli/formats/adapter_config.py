"""The configuration of a PEFT adapter: the keys that decide ΔW, and those known not to.

The keys are those of `LoraConfig` up to PEFT 0.21. One that is not in the lists may stand for
another product than B·A, so it refuses the adapter unless it is null.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.formats.patterns import Pattern, UnsafePatternError, Work

CONFIG = "adapter_config.json"

# What PEFT calls the network that is adapted.
PREFIX = "base_model.model."

# These say which modules are adapted, how they were trained or where the model comes from: the
# factors, their names and their shapes say the same, or it does not matter to ΔW.
_ANY_VALUE = frozenset(
    [
        "auto_mapping",
        "base_model_name_or_path",
        "corda_config",
        "ensure_weight_tying",
        "eva_config",
        "exclude_modules",
        "inference_mode",
        "layer_replication",
        "layers_pattern",
        "layers_to_transform",
        "loftq_config",
        "lora_dropout",
        "lora_ga_config",
        "megatron_config",
        "megatron_core",
        "modules_to_save",
        "peft_type",
        "peft_version",
        "qalora_group_size",
        "r",
        "rank_pattern",
        "revision",
        "runtime_config",
        "target_modules",
        "task_type",
        "trainable_token_indices",
    ]
)
# What trainers add to it, and what early releases wrote, about training alone.
_ANY_VALUE_OF_OTHERS = frozenset(["lora_dtype", "lorap_emb_lr", "lorap_lr_ratio", "unsloth_fixed"])
# These are decided here.
_DECIDED = frozenset(
    ["alpha_pattern", "bias", "fan_in_fan_out", "init_lora_weights", "lora_alpha", "use_rslora"]
)
# How adapters are initialised says nothing of what they are in the end.
_INITIAL = re.compile(r"gaussian|eva|olora|pissa(_niter_\d+)?|corda|loftq|orthogonal|mica|lora_ga")
# What null, false, or nothing in it leaves out.
_UNUSED = frozenset(
    [
        "alora_invocation_tokens",
        "arrow_config",
        "enable_lora",
        "kasa_config",
        "lora_bias",
        "merge_weights",
        "monteclora_config",
        "target_parameters",
        "use_bdlora",
        "use_dora",
        "use_qalora",
        "velora_config",
    ]
)


@dataclass(frozen=True)
class AdapterConfig:
    """The part of a configuration that decides ΔW.

    Attributes
    ----------
    alpha : float
        The α of modules that match no pattern.
    alphas : sequence of Pattern and float
        Patterns of module names with their α; the first that matches counts.
    rank_stabilised : bool
        True if s is α/√r (Kalajdzievski, arXiv 2312.03732) and not α/r.
    fan_in_fan_out : bool
        True if matrices are stored as (in, out).
    """

    alpha: float
    alphas: Sequence[tuple[Pattern, float]] = ()
    rank_stabilised: bool = False
    fan_in_fan_out: bool = False

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> "AdapterConfig":
        """Parse a configuration.

        Raises
        ------
        RefusedFileError
            When it is not one of LoRA, or has a setting that is not known to leave ΔW = s·B·A.
        """
        _check_kind(found)
        for key, value in found.items():
            _check_neutral(key, value)
        work, alphas = Work(), found.get("alpha_pattern") or {}
        if not isinstance(alphas, dict):
            raise RefusedFileError(f"has an {CONFIG} whose alpha_pattern is not a table")
        return cls(
            alpha=_number(found.get("lora_alpha", 8)),
            alphas=[(_pattern(text, work), _number(alpha)) for text, alpha in alphas.items()],
            rank_stabilised=_switch(found, "use_rslora"),
            fan_in_fan_out=_switch(found, "fan_in_fan_out"),
        )

    def scale(self, module: str, rank: int) -> float:
        """Return the scale s of one module.

        Raises
        ------
        RefusedFileError
            When matching the patterns takes too long.
        """
        name = module.removeprefix(PREFIX)
        special = (alpha for pattern, alpha in self.alphas if pattern.matches(name))
        alpha = next(special, self.alpha)
        return alpha / math.sqrt(rank) if self.rank_stabilised else alpha / rank


def _check_kind(found: Mapping[str, Any]) -> None:
    if "fine_tune_type" in found or "lora_parameters" in found:
        raise RefusedFileError(
            "is an adapter of MLX (mlx_lm.lora), and ariba reads only those of PEFT; send the "
            "whole weights, such as mlx_lm.fuse writes"
        )
    kind = found.get("peft_type")
    if kind != "LORA":
        shown = repr(kind[:40]) if isinstance(kind, str) else "it does not say which"
        raise RefusedFileError(
            f"is not a LoRA adapter ({shown}); merge it into the model and send the whole weights"
        )


def _check_neutral(key: str, value: object) -> None:
    """Refuse a key that may stand for more than s·B·A."""
    if key in _ANY_VALUE or key in _ANY_VALUE_OF_OTHERS or value is None:
        return
    if key in _UNUSED and (value is False or value in ([], {})):
        return
    known = key in _DECIDED
    if key == "bias":
        known = value in ("none", "all", "lora_only")
    elif key == "init_lora_weights":
        known = isinstance(value, bool) or (
            isinstance(value, str) and _INITIAL.fullmatch(value) is not None
        )
    if not known:
        shown = f" of {value!r}"[:80] if isinstance(value, bool | int | float | str) else ""
        raise RefusedFileError(
            f"is an adapter with {key[:80]!r}{shown}, which may change the model by more than "
            "B·A; merge it into the model and send the whole weights"
        )


def _switch(found: Mapping[str, Any], key: str) -> bool:
    value = found.get(key)
    if value is not None and not isinstance(value, bool):
        raise RefusedFileError(f"has an {CONFIG} with a {key} that is neither true nor false")
    return bool(value)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        raise RefusedFileError(f"has an {CONFIG} with a lora_alpha that is not a number")
    return float(value)


def _pattern(text: str, work: Work) -> Pattern:
    """Return the pattern for a module's whole name, or for its last parts, as in PEFT."""
    try:
        return Pattern(text, work, of_last_parts=True)
    except UnsafePatternError as error:
        raise RefusedFileError(f"has an {CONFIG} with the pattern {text[:80]!r}: {error}") from None
