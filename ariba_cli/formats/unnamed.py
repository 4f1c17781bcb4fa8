"""Arrays without names, which are called `arr_0`, `arr_1`, … as in `numpy.savez`."""

import re
from collections.abc import Mapping

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.formats.model import ReadOptions, Tensor

_UNNAMED = re.compile(r"arr_(0|[1-9][0-9]{0,8})")


def named(found: Mapping[str, Tensor], terms: ReadOptions) -> Mapping[str, Tensor]:
    """Replace the placeholder names of arrays by the names that the user gave.

    Raises
    ------
    RefusedFileError
        When the user gave more or fewer names than there are arrays.
    """
    matches = [_UNNAMED.fullmatch(name) for name in found]
    indices = [int(match[1]) for match in matches if match]
    if terms.names is None or sorted(indices) != list(range(len(found))):
        return found
    if len(terms.names) != len(found):
        raise RefusedFileError(
            f"holds {len(found)} arrays, but {len(terms.names)} names were given"
        )
    by_index = dict(zip(indices, found.values(), strict=True))
    return {name: by_index[index] for index, name in enumerate(terms.names)}
