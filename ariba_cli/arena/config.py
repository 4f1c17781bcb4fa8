"""The config of an arena: its federations, attacks, defences and published figures."""

import hashlib
import itertools
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ariba_cli.arena.options import Known, Options, Value, check, check_name, listed
from ariba_cli.base.errors import InputError, UsageError

# An arena of more cells is a mistake in a list, and would run for weeks.
MOST_CELLS = 100_000
MEASURES = ("auc", "found", "falsely_named", "accuracy", "backdoor_accuracy")
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,60}[a-z0-9])?")
# The commands by which a round is defended, in their order.
_DEFENDS = ("audit", "aggregate", "prune")
_SECTIONS = {
    "federation": None,
    "attack": None,
    "defence": {"name", *_DEFENDS},
    "published": {"attack", "defence", "measure", "value", "tolerance", "source"},
}
_FEDERATION_IN_PUBLISHED = {"dataset", "partition"}
_FROM_ROUND = "from-round"


@dataclass(frozen=True)
class Commands:
    """The options of the commands that a config may use.

    Attributes
    ----------
    simulate, attack, audit, aggregate, prune : Known
        The options of each command.
    """

    simulate: Known
    attack: Known
    audit: Known
    aggregate: Known
    prune: Known


@dataclass(frozen=True)
class Federation:
    """A federation, which trains honestly.

    Attributes
    ----------
    name : str
        The name of its folder.
    options : Options
        The options of `ariba simulate`, with one value each.
    """

    name: str
    options: Options = field(hash=False)

    @property
    def seed(self) -> int:
        """The seed, which the attacker draws from as well."""
        return int(str(self.options.get("seed", 0)))

    def without_seed(self) -> dict[str, Value | Sequence[Value]]:
        """Return the options that federations share if they differ by their seeds alone."""
        return {name: value for name, value in self.options.items() if name != "seed"}


@dataclass(frozen=True)
class Attack:
    """An attack by k participants.

    Attributes
    ----------
    title : str
        Its name in the config.
    k : int
        The number of compromised participants.
    options : Options
        The options of `ariba attack`; of `ariba simulate` for an attack over several rounds.
    from_round : int, optional
        The first round that is attacked, to the last one; None for the last alone.
    """

    title: str
    k: int
    options: Options = field(hash=False)
    from_round: int | None = None

    @property
    def name(self) -> str:
        """The name of its folder, and of its column."""
        return f"{self.title}-k{self.k}"


@dataclass(frozen=True)
class Defence:
    """A defence of a round.

    Attributes
    ----------
    name : str
        Its name in the config.
    audit : Options, optional
        The options of `ariba audit`, whose named participants are left out. None for a defence
        that names nobody.
    aggregate : Options
        The options of `ariba aggregate`.
    prune : Options, optional
        The options of `ariba prune`, which changes the aggregated model. None for a defence that
        leaves it.
    """

    name: str
    audit: Options | None = field(hash=False)
    aggregate: Options = field(hash=False)
    prune: Options | None = field(default=None, hash=False)


# What a round comes to without one.
NO_DEFENCE = Defence("none", None, {})


@dataclass(frozen=True)
class Published:
    """A published figure, to be compared with ours.

    Attributes
    ----------
    attack, defence : str
        The names of a column and of a row.
    federation : dict of str to str
        The options of the federations that the figure is about.
    measure : str
        One of `MEASURES`.
    value, tolerance : float
        The figure, and the largest difference of ours from it.
    source : str
        The publication.
    """

    attack: str
    defence: str
    federation: Mapping[str, str]
    measure: str
    value: float
    tolerance: float
    source: str


@dataclass(frozen=True)
class Config:
    """The full content of a config.

    Attributes
    ----------
    title : str
        The title of the page.
    federations, attacks, defences, published : tuple
        The attacks are those of all federations; `none` is the first defence.
    sha256 : str
        The hash of the file.
    """

    title: str
    federations: tuple[Federation, ...]
    attacks: tuple[Attack, ...]
    defences: tuple[Defence, ...]
    published: tuple[Published, ...]
    sha256: str

    @property
    def cells(self) -> int:
        """The number of cells, with one for each clean round."""
        return len(self.federations) * (len(self.attacks) + 1) * len(self.defences)


def read_config(path: Path, commands: Commands) -> Config:
    """Return the config in a TOML file.

    Parameters
    ----------
    path : path
        The file.
    commands : Commands
        The options that commands take.

    Raises
    ------
    InputError
        When it cannot be read, or is not TOML.
    UsageError
        When it has a key that is not known, a name twice, or nothing to do.
    """
    try:
        data = path.read_bytes()
        content = tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"'{path}' is not TOML: {error}") from error
    for name in content:
        check_name(name, {"title", *_SECTIONS}, f"{path.name} has a key")
    config = Config(
        title=str(content.get("title", path.stem)),
        federations=tuple(_federations(_tables(content, "federation"), commands.simulate)),
        attacks=tuple(_attacks(_tables(content, "attack"), commands)),
        defences=(NO_DEFENCE, *_defences(_tables(content, "defence"), commands)),
        published=tuple(_published(one) for one in _tables(content, "published")),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    _check_whole(config, path.name)
    return config


def _check_whole(config: Config, name: str) -> None:
    if not config.federations:
        raise UsageError(f"{name} has no federation; give it a table [[federation]]")
    if config.cells > MOST_CELLS:
        raise UsageError(
            f"{name} makes {config.cells:,} cells, and the arena runs at most {MOST_CELLS:,}; "
            "shorten its lists"
        )
    for kind, named in (
        ("federation", [one.name for one in config.federations]),
        ("attack", [one.name for one in config.attacks]),
        ("defence", [one.name for one in config.defences]),
    ):
        twice = next((one for one in named if named.count(one) > 1), None)
        if twice is not None:
            raise UsageError(f"{name} has the {kind} '{twice}' twice; give one another name")
    for one in config.published:
        check_name(
            one.attack, {attack.name for attack in config.attacks}, f"{name} publishes an attack"
        )
        check_name(
            one.defence, {each.name for each in config.defences}, f"{name} publishes a defence"
        )


def _tables(content: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = content.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise UsageError(f"'{name}' must hold tables, each under a line [[{name}]]")
    known = _SECTIONS[name]
    if name in ("defence", "published") and known is not None:
        more = _FEDERATION_IN_PUBLISHED if name == "published" else set()
        for one in found:
            for key in one:
                check_name(key, known | more, f"[[{name}]] has a key")
    return found


def _federations(tables: Sequence[dict[str, Any]], known: Known) -> list[Federation]:
    """Return a federation for every choice of one value of each list."""
    found = []
    for table in tables:
        options = check(table, known, "[[federation]]")
        for choice in itertools.product(*(listed(value) for value in options.values())):
            own = dict(zip(options, choice, strict=True))
            found.append(Federation(_folder(own), own))
    return found


def _folder(options: Mapping[str, Value]) -> str:
    """Return the name of a federation's folder: the options that set it apart, in plain letters."""
    parts = [str(options.get("dataset", "digits"))]
    parts += [
        f"{name}-{value}" for name, value in sorted(options.items()) if name not in ("dataset",)
    ]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(parts))


def _attacks(tables: Sequence[dict[str, Any]], commands: Commands) -> list[Attack]:
    """Return an attack for every k of each table."""
    found = []
    for table in tables:
        name = _name_of(table, "attack")
        ks = table.get("k", [])
        ks = ks if isinstance(ks, list) else [ks]
        begins = table.get(_FROM_ROUND)
        for number in (*ks, 1 if begins is None else begins):
            if type(number) is not int or number < 1 or not ks:
                raise UsageError(
                    f"[[attack]] {name}: k must be one or more integers of at least 1, and "
                    f"{_FROM_ROUND}, if given, one of them"
                )
        own = {key: value for key, value in table.items() if key not in ("name", "k", _FROM_ROUND)}
        known = commands.attack if begins is None else commands.simulate
        options = check(own, known, f"[[attack]] {name}")
        found += [Attack(name, k, options, begins) for k in ks]
    return found


def _defences(tables: Sequence[dict[str, Any]], commands: Commands) -> list[Defence]:
    found = []
    for table in tables:
        name = _name_of(table, "defence")
        where = f"[[defence]] {name}"
        if not set(_DEFENDS) & set(table):
            raise UsageError(
                f"{where} must have audit, aggregate or prune, a table of their options"
            )
        for key in _DEFENDS:
            if not isinstance(table.get(key, {}), dict):
                raise UsageError(f"{where}: {key} must be a table of options, such as {{ }}")
        audit, prune = table.get("audit"), table.get("prune")
        found.append(
            Defence(
                name,
                None if audit is None else check(audit, commands.audit, where),
                check(table.get("aggregate", {}), commands.aggregate, where),
                None if prune is None else check(prune, commands.prune, where),
            )
        )
    return found


def _published(table: Mapping[str, Any]) -> Published:
    missing = sorted((_SECTIONS["published"] or set()) - set(table))
    if missing:
        raise UsageError(f"[[published]] must have {missing[0]}")
    check_name(str(table["measure"]), MEASURES, "[[published]] has a measure")
    for key in ("value", "tolerance"):
        if type(table[key]) not in (int, float):
            raise UsageError(f"[[published]]: {key} must be a number")
    return Published(
        attack=str(table["attack"]),
        defence=str(table["defence"]),
        federation={key: str(table[key]) for key in sorted(_FEDERATION_IN_PUBLISHED & set(table))},
        measure=str(table["measure"]),
        value=float(table["value"]),
        tolerance=float(table["tolerance"]),
        source=str(table["source"]),
    )


def _name_of(table: Mapping[str, Any], kind: str) -> str:
    name = table.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(
            f"[[{kind}]] must have a name of small letters, digits, dots and dashes, such as "
            f"'{kind}-1'"
        )
    return name
