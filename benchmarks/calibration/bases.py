"""The kinds of clean rounds on which the tails are fitted, and those on which they are checked."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from benchmarks.honest import WITHOUT_FILES, Base

_PARTITIONS = ("iid", "dirichlet:0.5", "dirichlet:0.1")
_SMALL = Base(rounds=12, every=3)
# Until the samples are known by heart.
_LONG = Base(rounds=40, every=10)
_LARGE = Base(rounds=6, every=2)
# Half as many rounds of networks that take long.
_SLOW = Base(rounds=8, every=4)

_QUICK, _FEW = ("cnn", "mlp", "wide-cnn"), 50
_RANK = 4

# Federations of one kind differ more than rounds of one federation.
SEEDS = (501, 502, 503)


def seeds_of(base: Base, seeds: Sequence[int]) -> Sequence[int]:
    """Return the seeds of a base: the first alone where its federations take long to train."""
    quick = base.dataset == WITHOUT_FILES and base.model in _QUICK and base.participants <= _FEW
    return seeds if quick else seeds[:1]


def fitted_bases() -> tuple[Base, ...]:
    """Return the bases of the fit: small networks without normalisation."""
    return tuple(dict.fromkeys([*_of_digits(), *_of_sizes((20, 100)), *_of_large_sets()]))


def held_bases() -> tuple[Base, ...]:
    """Return the bases on which the tails are checked, and not fitted."""
    return tuple(dict.fromkeys([*_of_other_networks(), *_of_sizes((10, 200))]))


def _of_digits() -> Iterator[Base]:
    for partition in _PARTITIONS:
        own = replace(_SMALL, partition=partition)
        for model in _QUICK:
            for optimizer in ("adam", "sgd"):
                yield replace(own, model=model, optimizer=optimizer)
                long = own if model == "wide-cnn" else replace(_LONG, partition=partition)
                yield replace(long, model=model, optimizer=optimizer, epochs=3)
        yield replace(own, optimizer="sgd", epochs=5)
        yield replace(own, optimizer="sgd", momentum=0.9)
        yield replace(own, optimizer="sgd", momentum=0.9, weight_decay=5e-4, epochs=3)
        yield replace(own, model="mlp", optimizer="sgd", momentum=0.9)


def _of_sizes(sizes: tuple[int, ...]) -> Iterator[Base]:
    for n in sizes:
        for partition in _PARTITIONS[:2]:
            for optimizer in ("adam", "sgd"):
                own = replace(_SMALL, partition=partition, participants=n, optimizer=optimizer)
                yield replace(own, epochs=3)


def _of_large_sets() -> Iterator[Base]:
    for dataset in ("mnist", "fashion-mnist"):
        for partition in _PARTITIONS:
            for optimizer in ("adam", "sgd"):
                yield replace(_LARGE, dataset=dataset, partition=partition, optimizer=optimizer)


def _of_other_networks() -> Iterator[Base]:
    for partition in _PARTITIONS:
        for optimizer in ("adam", "sgd"):
            own = replace(_SLOW, partition=partition, optimizer=optimizer)
            for model in ("resnet8", "resnet8-gn", "transformer"):
                yield replace(own, model=model)
            yield replace(own, model="transformer", lora=_RANK)
