"""Networks that were worked out on paper; the comments are the working."""

import numpy as np

from spiker_hdl.model import (
    Accumulator,
    AdaptiveLif,
    CurrentLif,
    Decay,
    If,
    Input,
    Integrator,
    Lif,
    Network,
    Population,
    Projection,
    Readout,
)

__all__ = ["BY_HAND"]


def column(*values):
    """Weights from one source to several targets, or the train of one channel."""
    return np.array(values).reshape(-1, 1)


# Two LIF, half of the potential lost in each step; W = [[5, 3], [-2, 6]], fires above 7.
#   step  events  neuron 0                      neuron 1
#   0     1 1     8, fires: 1                   4
#   1     1 0     1 - 0 + 5 = 6                 4 - 2 - 2 = 0
#   2     0 1     6 - 3 + 3 = 6                 0 + 6 = 6
#   3     1 1     6 - 3 + 8 = 11, fires: 4      6 - 3 + 4 = 7, which is not above 7
LAYER = {
    "name": "a layer",
    "network": Network(
        [Input("in", 2)],
        [Population("lif", 2, Lif(width=6, threshold=7, decay=Decay.shift(1)))],
        [Projection("in", "lif", np.array([[5, 3], [-2, 6]]))],
        [Readout("lif"), Readout("lif", "last", "v"), Readout("lif", "first", "first")],
    ),
    "spikes": {"in": np.array([[[1, 1], [1, 0], [0, 1], [1, 1]]])},
    "answers": {
        "lif": [[(0, [2, 0])]],
        "v": [[(1, [4, 7])]],
        "first": [[(0, [4, 0])]],
    },
    "record": {
        "lif": [[[1, 0], [0, 0], [0, 0], [1, 0]]],
        "lif.v": [[[1, 4], [6, 0], [6, 6], [4, 7]]],
    },
}

# A recurrent IF "a" with a reset to zero at 4 in the next step, which hears 2 x and itself a step
# ago; two integrators "b" that lose a quarter, and hear x at once and +4 a, -4 a after two steps.
#   step         0            1         2     3            4         5
#   x            3            0         1     2            0         1
#   a hears      6            1         2     4            1         2
#   a            6, fires     0 (lost)  2     6, fires     0 (lost)  2
#   b 0 hears    3            0         1+4   2            0         1+4
#   b 0          3            3         8     8-2+2 = 8    6         6-1+5 = 10
#   b 1 hears    3            0         1-4   2            0         1-4
#   b 1          3            3         0     2            2         -1
# Summed: 38 and 9; in windows of three steps 14 and 6, then 24 and 3.
_RECURRENT = Network(
    [Input("x", 1, 0, 3)],
    [
        Population("b", 2, Integrator(width=6, decay=Decay.shift(2))),
        Population(
            "a", 1, If(width=6, threshold=4, reset="zero", reset_timing="next_step", fire=">=")
        ),
    ],
    [
        Projection("x", "a", column(2)),
        Projection("a", "a", column(1), delay=1),
        Projection("a", "b", column(4, -4), delay=2),
        Projection("x", "b", column(1, 1)),
    ],
    [
        Readout("b", "last"),
        Readout("b", "largest", "largest"),
        Readout("b", "sum", "sum"),
        Readout("a", "count", "count"),
        Readout("a", "first", "first"),
    ],
)
_X = {"x": np.array([column(3, 0, 1, 2, 0, 1)])}
_SEEN = {
    "a": [[[1], [0], [0], [1], [0], [0]]],
    "a.v": [[[6], [0], [2], [6], [0], [2]]],
    "a.pending": [[[1], [0], [0], [1], [0], [0]]],
    "b.v": [[[3, 3], [3, 3], [8, 0], [8, 2], [6, 2], [10, -1]]],
}
RECURRENT = {
    "name": "recurrent, delayed and skipping",
    "network": _RECURRENT,
    "spikes": _X,
    "answers": {
        "b": [[(0, [10, -1])]],
        "largest": [[(0, [10, 3])]],
        "sum": [[(0, [38, 9])]],
        "count": [[(0, [2])]],
        "first": [[(0, [6])]],
    },
    "record": _SEEN,
}
WINDOWS = {
    "name": "the same in windows",
    "network": _RECURRENT,
    "spikes": _X,
    "window": 3,
    "answers": {
        "b": [[(0, [8, 0]), (0, [10, -1])]],
        "largest": [[(0, [8, 3]), (0, [10, 2])]],
        "sum": [[(0, [14, 6]), (0, [24, 3])]],
        "count": [[(0, [1]), (0, [1])]],
        "first": [[(0, [3]), (0, [3])]],
    },
    "record": _SEEN,
}

# A current-based LIF "c" (half of the current and a quarter of the potential lost, fires above 20,
# silent and deaf for a step) hears 16 x; adaptive neurons "d" without leak, bias 2, reset to zero,
# hear +4 c and -3 c. Their thresholds are 5 and 3, rise by 6 and lose half of the rise.
#   step            0     1              2        3            4            5
#   x               1     1              1        0            0            1
#   c, current      16    24             28       14           7            7-3+16 = 20
#   c, potential    16    36, fires: 16  12       23, fires: 3 3            23, fires: 3
#   d 0 hears       2     6              2        6            2            6
#   d 0, threshold  5     5              5+6      5+3          5+2          5+7
#   d 0             2     8, fires: 0    2        8            10, fires: 0 6
#   d 1 hears       2     -1             2        -1           2            -1
#   d 1, threshold  3     3              3        3            3            3+6
#   d 1             2     1              3        2            4, fires: 0  -1, the floor
# The rise of d 0 goes 0, 6, 3, 3-1 = 2, 2-1+6 = 7, 7-3 = 4, and that of d 1 ends 6, 3.
SECOND_ORDER = {
    "name": "second order and adaptive",
    "network": Network(
        [Input("x", 1)],
        [
            Population(
                "c",
                1,
                CurrentLif(
                    width=8,
                    threshold=20,
                    decay=Decay.shift(2),
                    current_decay=Decay.shift(1),
                    current_width=6,
                    refractory=1,
                ),
            ),
            Population(
                "d",
                2,
                AdaptiveLif(
                    width=8,
                    threshold=(5, 3),
                    reset="zero",
                    floor=-1,
                    decay=Decay(0, 0),
                    rise=6,
                    rise_decay=Decay.shift(1),
                ),
                bias=2,
            ),
        ],
        [Projection("x", "c", column(16)), Projection("c", "d", column(4, -3))],
        [Readout("d"), Readout("d", "first", "first"), Readout("d", "largest", "largest")],
    ),
    "spikes": {"x": np.array([column(1, 1, 1, 0, 0, 1)])},
    "answers": {
        "d": [[(0, [2, 1])]],
        "first": [[(0, [5, 2])]],
        "largest": [[(0, [8, 3])]],
    },
    "record": {
        "c": [[[0], [1], [0], [1], [0], [1]]],
        "c.i": [[[16], [24], [28], [14], [7], [20]]],
        "c.v": [[[16], [16], [12], [3], [3], [3]]],
        "c.countdown": [[[0], [1], [0], [1], [0], [1]]],
        "d": [[[0, 0], [1, 0], [0, 0], [0, 0], [1, 1], [0, 0]]],
        "d.v": [[[2, 2], [0, 1], [2, 3], [8, 2], [0, 0], [6, -1]]],
        "d.a": [[[0, 0], [6, 0], [3, 0], [2, 0], [7, 6], [4, 3]]],
    },
}

# Three accumulators of 4 bits with the weights 3, 3, -9, of which the last saturates at -8:
#   x = 1, 1, 1 gives 3, 6, 7 (saturated from 9) and -8, -8, -8; x = 0 leaves all at rest.
# A tie goes to the lowest class, also among all.
TIES = {
    "name": "ties and saturation",
    "network": Network(
        [Input("x", 1)],
        [Population("v", 3, Accumulator(width=4))],
        [Projection("x", "v", column(3, 3, -9))],
        [Readout("v", "last"), Readout("v", "sum", "sum")],
    ),
    "spikes": {"x": np.array([column(1, 1, 1), column(0, 0, 0)])},
    "answers": {
        "v": [[(0, [7, 7, -8])], [(0, [0, 0, 0])]],
        "sum": [[(0, [16, 16, -24])], [(0, [0, 0, 0])]],
    },
    "record": {"v.v": [[[3, 3, -8], [6, 6, -8], [7, 7, -8]], [[0, 0, 0]] * 3]},
}

# A LIF "a" with the immediate reset of snnTorch (half of the potential lost, threshold 5) hears
# 2 x; a LIF "b" with a reset to 2 in the next step, which keeps the input (half lost, fires above
# 4), hears x and -2 a.
#   step       0             1           2           3              4          5
#   x          7             1           2           5              0          6
#   a hears    14            2           4           10             0          12
#   a before   0             9, above 5  7, above 5  8, above 5     9, above 5 5, not above 5
#   a passes   5             10          10          10             10         5
#   a          14, fires: 9  9-4+2 = 7   7-3+4 = 8   8-4+10, f.: 9  9-4 = 5    5-2+12, fires: 10
#   b hears    5             1           2           3              0          4
#   b          5, fires      2+1 = 3     3-1+2 = 4   4-2+3, fires   2+0 = 2    2-1+4, fires
SNNTORCH = {
    "name": "snntorch_immediate, and next_step_keep_input",
    "network": Network(
        [Input("x", 1, 0, 7)],
        [
            Population(
                "a",
                1,
                Lif(width=6, threshold=5, reset_timing="snntorch_immediate", decay=Decay.shift(1)),
            ),
            Population(
                "b",
                1,
                Lif(
                    width=6,
                    threshold=4,
                    reset="value",
                    reset_value=2,
                    reset_timing="next_step_keep_input",
                    decay=Decay.shift(1),
                ),
            ),
        ],
        [
            Projection("x", "a", column(2)),
            Projection("x", "b", column(1)),
            Projection("a", "b", column(-2)),
        ],
        [Readout("a"), Readout("b", "sum", "sum"), Readout("b", "last", "last")],
    ),
    "spikes": {"x": np.array([column(7, 1, 2, 5, 0, 6)])},
    "answers": {"a": [[(0, [3])]], "sum": [[(0, [24])]], "last": [[(0, [5])]]},
    "record": {
        "a": [[[1], [0], [0], [1], [0], [1]]],
        "a.v": [[[9], [7], [8], [9], [5], [10]]],
        "b": [[[1], [0], [0], [1], [0], [1]]],
        "b.v": [[[5], [3], [4], [5], [2], [5]]],
    },
}

BY_HAND = [LAYER, RECURRENT, WINDOWS, SECOND_ORDER, TIES, SNNTORCH]
