"""The cutting of layers of every shape."""

import numpy as np
import pytest

from ariba_cli.base.errors import UsageError
from ariba_cli.updates.fragments import (
    FragmentLayout,
    Fragments,
    TooWideError,
    UnfitLayerError,
    default_fragment,
    layout_of,
)


@pytest.mark.parametrize(
    ("shape", "fragment", "expected"),
    [
        ((256, 128, 3, 3), "kernel", FragmentLayout(256 * 128, 9)),
        ((256, 128, 3, 3), "filter", FragmentLayout(256, 128 * 9)),
        ((64, 3, 7), "kernel", FragmentLayout(192, 7)),
        ((10, 32), "row", FragmentLayout(10, 32)),
        ((64, 32, 1, 1), "row", FragmentLayout(64, 32)),
        ((10, 32), "block:64", FragmentLayout(5, 64)),
        ((16,), "block:5", FragmentLayout(3, 5, left_out=1)),
        ((4, 2, 3, 3), "block:7", FragmentLayout(10, 7, left_out=2)),
    ],
)
def test_cuts(shape: tuple[int, ...], fragment: str, expected: FragmentLayout) -> None:
    assert layout_of("layer", shape, fragment) == expected


@pytest.mark.parametrize(
    ("shape", "fragment", "message"),
    [
        ((10, 32), "kernel", "use --fragment row or block:D"),
        ((64, 32, 1, 1), "filter", "use --fragment row or block:D"),
        ((4, 2, 3, 3), "row", "use --fragment kernel, filter or block:D"),
        ((16,), "row", "use --fragment block:D"),
        ((), "kernel", "use --fragment block:D"),
        ((16,), "block:17", "does not hold one whole block:17 fragment"),
        ((0, 4), "row", "does not hold one whole row fragment"),
        ((16,), "block:0", "lacks a block size"),
        ((16,), "block:²", "lacks a block size"),
        ((16,), "blocks", "unknown fragment 'blocks'"),
        ((8, 25_088), "row", "try --fragment block:64"),
    ],
)
def test_cuts_that_make_no_sense(shape: tuple[int, ...], fragment: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        layout_of("layer", shape, fragment)


def test_the_default_is_the_kernel_of_a_convolution_and_else_the_row() -> None:
    assert default_fragment((8, 4, 3, 3)) == "kernel"
    assert default_fragment((8, 4, 1, 1)) == "row"
    assert default_fragment((8, 4)) == "row"


@pytest.mark.parametrize(
    ("shape", "fragment"),
    [
        ((8, 2500), "row"),
        ((8, 2501), "block:64"),
        ((8, 2501, 1, 1), "block:64"),
        ((8, 4, 50, 50), "kernel"),
        ((8, 4, 61, 41), "block:64"),
    ],
)
def test_by_default_what_is_too_wide_is_cut_in_blocks(
    shape: tuple[int, ...], fragment: str
) -> None:
    assert default_fragment(shape) == fragment
    assert layout_of("layer", shape, fragment).fragments > 0


def test_what_is_too_wide_is_told_from_what_does_not_fit() -> None:
    with pytest.raises(TooWideError):
        layout_of("layer", (8, 2501), "row")
    with pytest.raises(UnfitLayerError) as raised:
        layout_of("layer", (8, 2501), "kernel")
    assert not isinstance(raised.value, TooWideError)


def test_a_fragment_is_a_run_of_values_less_their_mean() -> None:
    tensors = [np.arange(13.0), np.arange(13.0) + 1, np.arange(13.0) + 5]
    block = Fragments(tensors, FragmentLayout(4, 3, left_out=1)).centred(1, 3)
    assert block.shape == (3, 2, 3)
    assert block.tolist() == [[[-2.0] * 3] * 2, [[-1.0] * 3] * 2, [[3.0] * 3] * 2]
