"""The answers of a child process about a file, which are trusted as little as the file."""

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.limits import Limits
from ariba_cli.formats.tensors import SIZES, TensorSpec, check_name, check_shape


def told(entry: object, unsound: str) -> tuple[str, str]:
    """Return the name and kind of an entry that a child has skipped, as the child reports them.

    Raises
    ------
    RefusedFileError
        When the report is malformed; `unsound` is then the error message about the file.
    """
    match entry:
        case [str(name), str(what)] if what.isprintable():
            return name, what
        case _:
            raise RefusedFileError(unsound)


def told_tensor(entry: object, unsound: str, limits: Limits) -> tuple[str, TensorSpec, int | None]:
    """Return the name and spec of a tensor, and its place in the file, as a child reports them.

    The place is None for a tensor that does not lie there in one piece. Nobody has checked yet
    whether it is within the file.

    Raises
    ------
    RefusedFileError
        When the tensor is beyond the limits, or the report is malformed; `unsound` is then the
        error message about the file.
    """
    match entry:
        case [str(name), str(dtype), list(shape), int() | None as place] if dtype in SIZES and all(
            type(extent) is int and extent >= 0 for extent in shape
        ):
            check_name(name, limits)
            check_shape(shape, limits)
            return name, TensorSpec(dtype, tuple(shape)), place
        case _:
            raise RefusedFileError(unsound)
