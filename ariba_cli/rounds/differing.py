"""The participants who name or shape tensors differently from most of a round."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from ariba_cli.base.examples import first_few
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.formats.model import Model
from ariba_cli.rounds.layers import Catalog, Layer, natural
from ariba_cli.rounds.names import is_counter, plain_name, twin_names

# Of names that are examples of more.
_MOST_NAMED = 3


def differences_from_most(
    catalogs: Mapping[str, Catalog], layers: Sequence[Layer]
) -> Iterator[Finding]:
    """Yield findings on duplicate, missing and extra layers, and on shapes that differ from most.

    Parameters
    ----------
    catalogs : dict of str to catalog
        The tensors of each participant, by its id.
    layers : sequence of Layer
        The layers that most participants have.
    """
    if not layers:
        if len(catalogs) > 1:
            yield Finding(FindingKind.NO_COMMON_NAME, nothing_in_common(catalogs))
        return
    yield from unusual_twins(catalogs)
    for who, catalog in catalogs.items():
        names = {layer.name: layer.name_in(catalog) for layer in layers}
        lacking = [name for name, stored in names.items() if stored is None]
        if lacking:
            detail = f"lacks {_count(lacking, 'layer')} that most have: {examples(lacking)}"
            yield Finding(FindingKind.MISSING_LAYER, detail, who, facts={"count": len(lacking)})
        for layer in layers:
            stored = names[layer.name]
            if stored is not None and catalog[stored].spec.shape != layer.shape:
                shape = catalog[stored].spec.shape
                yield Finding(
                    FindingKind.WRONG_SHAPE,
                    f"{layer.name} has shape {shape}, the others have {layer.shape}",
                    who,
                    layer.name,
                    facts={"shape": shape},
                )
    yield from extra_layers(catalogs, layers)


def unusual_twins(catalogs: Mapping[str, Catalog]) -> Iterator[Finding]:
    """Yield a finding for each participant who has two names for one layer of most others.

    A server may read either of them, while an audit examines the other. If most participants
    have both names, they are two layers.
    """
    known: dict[int, tuple[tuple[str, ...], ...]] = {}
    for catalog in catalogs.values():
        if id(catalog) not in known:
            known[id(catalog)] = twin_names(catalog)
    counts = Counter(twins for one in catalogs.values() for twins in known[id(one)])
    for who, catalog in catalogs.items():
        for twins in known[id(catalog)]:
            if 2 * counts[twins] <= len(catalogs):
                detail = f"names {twins[0]!r} and {twins[1]!r}, which mean the same layer"
                yield Finding(FindingKind.REFUSED, detail, who)
                break


def extra_layers(catalogs: Mapping[str, Catalog], layers: Sequence[Layer]) -> Iterator[Finding]:
    """Yield a finding for each participant who sent tensors that most do not have.

    Parameters
    ----------
    catalogs : dict of str to catalog
        The tensors of each participant, by its id.
    layers : sequence of Layer
        The layers that most participants have.
    """
    usual = {plain_name(layer.name) for layer in layers}
    known: dict[int, list[str]] = {}
    for who, catalog in catalogs.items():
        if id(catalog) not in known:
            known[id(catalog)] = [
                name for name in catalog if not is_counter(name) and plain_name(name) not in usual
            ]
        extra = known[id(catalog)]
        if extra:
            detail = f"has {_count(extra, 'tensor')} that most do not have: {examples(extra)}"
            yield Finding(FindingKind.EXTRA_LAYER, detail, who, facts={"count": len(extra)})


def nothing_in_common(catalogs: Mapping[str, Catalog]) -> str:
    """Return a message that the participants share no names, with two examples.

    Parameters
    ----------
    catalogs : dict of str to catalog
        The tensors of each of at least two participants, by its id.
    """
    (who, own), *others = ((id_, sorted(one, key=natural)[:1]) for id_, one in catalogs.items())
    other, its = next(((id_, first) for id_, first in others if first != own), others[0])
    return (
        f"no tensor has the same name in most of the updates ({who} has {examples(own)}, {other} "
        f"has {examples(its)}); ariba audit --by-order matches them by order and shape"
    )


def chosen_models(models: Mapping[str, Model]) -> Iterator[Finding]:
    """Yield one finding for each choice among several models in a folder; it names who is affected.

    Parameters
    ----------
    models : dict of str to Model
        The model of each participant, by its id.
    """
    chosen: dict[str, list[str]] = {}
    for who, model in models.items():
        if model.chosen:
            chosen.setdefault(model.chosen, []).append(who)
    for what, ids in sorted(chosen.items()):
        detail = f"ariba reads {what}, of {examples(ids)}"
        yield Finding(FindingKind.NEWEST_CHECKPOINT, detail, group=tuple(ids))


def examples(names: Sequence[str]) -> str:
    """Return the first few names, and the number of further ones."""
    return first_few(names, _MOST_NAMED) or "none"


def _count(names: Sequence[str], what: str) -> str:
    return f"a {what}" if len(names) == 1 else f"{len(names):,} {what}s"
