"""Tests of windows: what each position and offset meets, and bad geometry."""

import re
from random import Random

import pytest

from spiker_hdl.model.synapses.windows import Windows

from support.naive import counts_of, positions_of


def drawn(seed):
    random = Random(seed)
    axes = random.randint(1, 2)

    def each(low, high):
        return tuple(random.randint(low, high) for _ in range(axes))

    padding = tuple((random.randint(0, 3), random.randint(0, 3)) for _ in range(axes))
    return Windows(each(1, 9), each(1, 3), each(1, 3), padding, each(1, 3))


def test_every_pair_of_position_and_window_is_met_once():
    met = 0
    for seed in range(300):
        try:
            windows = drawn(seed)
        except ValueError:  # no window fits
            continue
        for n, size in enumerate(windows.size):
            part = Windows(
                windows.shape[n : n + 1],
                size,
                windows.stride[n],
                windows.padding[n : n + 1],
                windows.dilation[n],
            )
            flat = type("Part", (), {
                "shape": (1, *part.shape),
                "stride": part.stride,
                "padding": part.padding,
                "dilation": part.dilation,
            })  # fmt: skip
            counts = counts_of(flat, part.size)
            assert windows.counts[n] == counts[0]
            expected = sorted(
                (position[0], window, offset[0])
                for window in range(counts[0])
                for offset, position in positions_of([window], flat, part.size)
            )
            pairs = windows.pairs(n)
            assert [(p, *pair) for p, own in enumerate(pairs) for pair in own] == expected
            taps = sorted(
                (p, w, tap.offset[0])
                for tap in part.taps()
                for p, w in zip(
                    range(part.shape[0])[tap.sources[0]],
                    range(counts[0])[tap.targets[0]],
                    strict=True,
                )
            )
            assert taps == expected
            met += len(expected)
    assert met > 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((4,), 5), "Window must fit into its axis of 4 positions with 0 of padding, not have 5"),
        (((4, 4), 3, 1, 0, 2), "Window must fit into its axis of 4 positions with 0 of padding, "),
        (((4, 4, 4), 3), "Windows must slide over one or two axes, not (4, 4, 4)"),
        ((4, 3), "Windows must slide over one or two axes, not 4"),
        (((4, 4), (3, 3, 3)), "Size of a window must have a value for each of 2 axes, not (3, 3"),
        (((4,), 0), "Size of a window must be at least 1, not 0"),
        (((4,), 2, 0), "Stride must be at least 1, not 0"),
        (((4,), 2, 1, -1), "Padding must be at least 0, not -1"),
        (((4,), 2, 1, ((1, 2, 3),)), "Padding of an axis must be before and after it, not (1, 2"),
        (((4,), 2, 1, ((1, -2),)), "Padding after an axis must be at least 0, not -2"),
        (((4,), 2, 1, 0, 0), "Dilation must be at least 1, not 0"),
    ],
)
def test_bad_windows_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        Windows(*arguments)
