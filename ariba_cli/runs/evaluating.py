"""The evaluation of a model on disk: its quality on the test set, and its backdoors."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ariba_cli.attacks.backdoor import aim_of, backdoor_images, check_class
from ariba_cli.attacks.triggers import TRIGGERS
from ariba_cli.base.errors import UsageError
from ariba_cli.base.registry import registered
from ariba_cli.federated.datasets import FloatArray, LabelArray
from ariba_cli.federated.federation import Federation, Place
from ariba_cli.federated.quality import Quality, agreement, labels_said, quality_of
from ariba_cli.formats.model import ReadOptions
from ariba_cli.rounds.inspection import HashedFile
from ariba_cli.runs.run_file import Run
from ariba_cli.runs.run_model import open_run_model, read_weights


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """The settings by which a model is tested for backdoors.

    Attributes
    ----------
    triggers : tuple of str, optional
        The names in `TRIGGERS`; None for all that apply to the data set.
    target_class : int
        The class that images with a trigger may have been meant to be taken for.
    backdoor_images : int, optional
        The number of test images on which each is measured, drawn by the seed; None for all.
    seed : int
        The seed of the attack: it decides which images the trigger `targeted` has.
    """

    triggers: tuple[str, ...] | None = None
    target_class: int = 0
    backdoor_images: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class ClassQuality:
    """The quality of a model on the test images of one class.

    Attributes
    ----------
    label : int
        The class.
    samples : int
        The number of test images.
    accuracy : float, optional
        The share that it gets right, in [0, 1]; None when there are no samples.
    wrong : int
        The number that it gets wrong.
    mistaken_for : int, optional
        The class that most of those are taken for, the first of several; None when none is taken
        for another.
    mistaken : int
        The number that are taken for that class.
    """

    label: int
    samples: int
    accuracy: float | None
    wrong: int
    mistaken_for: int | None
    mistaken: int


@dataclass(frozen=True)
class BackdoorQuality:
    """The accuracy of a backdoor: X'%, the share of its images taken for the target class."""

    trigger: str
    images: int
    accuracy: float


@dataclass(frozen=True)
class ModelEvaluation:
    """The evaluation of a model.

    Attributes
    ----------
    path : str
        The name of its file or folder.
    format : str
        The format in which it is stored.
    files : tuple of HashedFile
        Its files, by their names beside each other.
    dataset : str
        The name of the data set.
    fingerprint : str
        The fingerprint of the data set.
    architecture : str
        The name of the network.
    settings : EvaluationSettings
        The settings.
    samples : int
        The number of images in the test set.
    quality : Quality
        The quality on the test set.
    classes : tuple of ClassQuality
        The quality on each class.
    backdoors : tuple of BackdoorQuality
        The accuracy of each backdoor.
    not_applicable : dict of str to str
        The reasons for which triggers are left out, by their names.
    device : str
        The device of the computation.
    """

    path: str
    format: str
    files: tuple[HashedFile, ...]
    dataset: str
    fingerprint: str
    architecture: str
    settings: EvaluationSettings
    samples: int
    quality: Quality
    classes: tuple[ClassQuality, ...]
    backdoors: tuple[BackdoorQuality, ...]
    not_applicable: dict[str, str]
    device: str


def evaluate_model(
    path: Path,
    run: Run,
    settings: EvaluationSettings | None = None,
    *,
    place: Place | None = None,
    terms: ReadOptions | None = None,
) -> ModelEvaluation:
    """Test a model of the network of a run, on the data of the run.

    Raises
    ------
    UsageError
        When there is no such trigger or class, or a trigger that was named does not apply.
    InputError
        When the model cannot be read or is one of another network, or the data are not those
        of the run.
    """
    settings = settings or EvaluationSettings()
    for name in settings.triggers or ():
        registered(TRIGGERS, name, kind="trigger")
    model = open_run_model(path, run, terms or ReadOptions())
    with run.federation(place) as federation:
        run.check_data(federation)
        dataset = federation.dataset
        check_class(settings.target_class, dataset)
        images, left_out = _images(federation, settings)
        weights, files = read_weights(path, model, federation.architecture)
        said = federation.engine.logits(weights, dataset.test_images)
        backdoors = [
            BackdoorQuality(
                name,
                len(tested),
                agreement(
                    federation.engine.logits(weights, tested),
                    np.full(len(tested), settings.target_class),
                ),
            )
            for name, tested in images.items()
        ]
        return ModelEvaluation(
            path=path.resolve().name,
            format=model.format,
            files=files,
            dataset=dataset.name,
            fingerprint=dataset.fingerprint,
            architecture=federation.architecture.name,
            settings=settings,
            samples=len(dataset.test_labels),
            quality=quality_of(said, dataset.test_labels),
            classes=_by_class(labels_said(said), dataset.test_labels, dataset.classes),
            backdoors=tuple(backdoors),
            not_applicable=left_out,
            device=federation.engine.device,
        )


def _images(
    federation: Federation, settings: EvaluationSettings
) -> tuple[dict[str, FloatArray], dict[str, str]]:
    """Return the test images of each trigger, and the reasons for leaving out those not named."""
    images, left_out = {}, {}
    for name in dict.fromkeys(TRIGGERS if settings.triggers is None else settings.triggers):
        try:
            aim = aim_of(federation, name, settings.target_class, settings.seed)
            found = backdoor_images(federation.dataset, name, aim, settings.backdoor_images)
        except UsageError as error:
            if settings.triggers is not None:
                raise
            left_out[name] = str(error)
        else:
            images[name] = found
    return images, left_out


def _by_class(said: LabelArray, labels: LabelArray, classes: int) -> tuple[ClassQuality, ...]:
    return tuple(_of_class(label, said[labels == label], classes) for label in range(classes))


def _of_class(label: int, said: LabelArray, classes: int) -> ClassQuality:
    # What is given no label is wrong, and mistaken for nothing.
    others = said[(said != label) & (said >= 0)]
    counts = np.bincount(others, minlength=classes).tolist()
    mistaken = max(counts)
    right = int(np.count_nonzero(said == label))
    return ClassQuality(
        label=label,
        samples=len(said),
        accuracy=right / len(said) if len(said) else None,
        wrong=len(said) - right,
        mistaken_for=counts.index(mistaken) if mistaken else None,
        mistaken=mistaken,
    )
