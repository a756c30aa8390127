"""What is no NIR graph, or means what cannot be kept: one clear error each."""

import re

import h5py
import nir
import numpy as np
import pytest

from spiker_train import from_nir

DT = 1e-3


def lif(size=4, **more):
    """Make neurons."""
    values = {"tau": 1e-2, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0}
    return nir.LIF(**{name: np.full(size, value) for name, value in (values | more).items()})


def linear(outputs=4, inputs=3):
    """Make a matrix."""
    return nir.Linear(np.ones((outputs, inputs)))


def graph(nodes, *paths):
    """Make a graph of nodes and paths such as ``"a b c"`` that nobody has checked."""
    pairs = [pair for path in paths for pair in zip(path.split(), path.split()[1:], strict=False)]
    return nir.NIRGraph(nodes, pairs, type_check=False)


def ends(inputs=3, outputs=4):
    """Make an input and an output."""
    return {"x": nir.Input(np.array([inputs])), "y": nir.Output(np.array([outputs]))}


def chain(node, **more):
    """Make a graph of a matrix and a node."""
    return graph(ends() | {"w": linear(), "n": node} | more, "x w n y")


def damaged(kind, **values):
    """Make a node, then give it values that it does not check again."""
    node = lif() if kind is None else kind
    for name, value in values.items():
        setattr(node, name, value)
    return chain(node)


class Spike(nir.ir.NIRNode):
    """A node of a kind that nobody knows."""

    def __init__(self):
        self.input_type = self.output_type = {"input": np.array([4])}


class Pool(Spike):
    """Max pooling between currents."""


def cuba(**more):
    """Make neurons with a synapse."""
    values = {"tau_syn": 5e-3, "tau_mem": 1e-2, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0}
    return nir.CubaLIF(**{name: np.full(4, value) for name, value in (values | more).items()})


SUB = nir.NIRGraph(
    {"i": nir.Input(np.array([4])), "j": nir.Input(np.array([4])), "n": lif(),
     "o": nir.Output(np.array([4]))},
    [("i", "n"), ("j", "n"), ("n", "o")], type_check=False,
)  # fmt: skip

BAD = {
    "unknown node": (lambda: chain(Spike()), {}, "Node 'n' must be a NIRGraph or one of"),
    "unknown in a subgraph": (
        lambda: chain(graph({"i": nir.Input(np.array([4])), "p": Pool(),
                             "o": nir.Output(np.array([4]))}, "i p o")), {},
        "Node 'n.p' must be a NIRGraph or one of"),
    "unknown parameter": (lambda: damaged(None, tau_ref=np.ones(4)), {},
                          "LIF 'n' must have the parameters tau, r, v_leak, v_threshold, v_reset"),
    "nan": (lambda: damaged(None, v_leak=np.array([0, np.nan, 0, 0])), {},
            "v_leak of LIF 'n' must be finite, not nan"),
    "nan in a matrix": (lambda: chain(lif(), w=nir.Linear(np.full((4, 3), np.nan))), {},
                        "weight of Linear 'w' must be finite, not nan"),
    "endless tau": (lambda: chain(lif(tau=np.inf)), {}, "tau of LIF 'n' must be finite, not inf"),
    "text": (lambda: damaged(None, r="much"), {}, "r of LIF 'n' must be numbers, not 'much'"),
    "tau below zero": (lambda: chain(lif(tau=-1.0)), {}, "tau of LIF 'n' must be above 0, not -1"),
    "tau below dt": (lambda: chain(lif(tau=5e-4)), {},
                     "tau of LIF 'n' must be at least dt = 0.001 by the rule 'euler', not 0.0005"),
    "tau_syn below dt": (lambda: chain(cuba(tau_syn=5e-4)), {},
                         "tau_syn of CubaLIF 'n' must be at least dt = 0.001"),
    "tau_mem below dt": (lambda: chain(cuba(tau_mem=5e-4)), {},
                         "tau_mem of CubaLIF 'n' must be at least dt = 0.001"),
    "old current": (
        lambda: graph(ends() | {"w": nir.Affine(np.ones((4, 3)), np.ones(4)),
                                "n": cuba(tau_syn=1e-3)}, "x w n y"), {"current": "old"},
        "tau_syn of CubaLIF 'n' must be above dt = 0.001 where a bias flows in"),
    "subtract below zero": (lambda: chain(lif(v_threshold=-1.0)), {"reset": "subtract"},
                            "v_threshold of LIF 'n' must be at least 0 to be subtracted, not -1"),
    "subtract to a value": (lambda: chain(lif(v_reset=0.5)), {"reset": "subtract"},
                            "v_reset of LIF 'n' must be 0 where the reset is to subtract, not 0.5"),
    "parameters that do not meet": (
        lambda: damaged(None, r=np.ones(3)), {},
        "r of LIF 'n' must have the shape (4,) of its tau, not (3,)"),
    "no neurons": (lambda: damaged(None, r=np.ones(0)), {}, "r of LIF 'n' must have"),
    "shapes that do not meet": (
        lambda: chain(lif(5)), {}, "Input of Output 'y' must have the shape (4,), not (5,) of 'n'"),
    "inner shapes that do not meet": (
        lambda: nir.NIRGraph(
            ends() | {"w": linear(), "m": lif(5), "n": lif()},
            [("x", "w"), ("w", "m"), ("m", "n"), ("n", "y")], type_check=False), {},
        "Input of LIF 'm' must have the shape (5,), not (4,) of 'w'"),
    "a matrix that does not meet": (
        lambda: chain(lif(), w=linear(4, 2)), {},
        "Input of Linear 'w' must have the shape (2,), not (3,) of 'x'"),
    "an output that does not meet": (
        lambda: nir.NIRGraph(
            chain(lif()).nodes | {"y": nir.Output(np.array([5]))},
            chain(lif()).edges, type_check=False), {},
        "Input of Output 'y' must have the shape (5,), not (4,) of 'n'"),
    "a flat image": (
        lambda: graph(ends() | {"f": nir.Flatten(None, 1, 2), "n": lif(3)}, "x f n y"), {},
        "Input of Flatten 'f' must have axes 1 to 2, not the shape (3,) of 'x'"),
    "a vector": (lambda: chain(lif(), w=damaged(linear(), weight=np.ones(3)).nodes["n"]), {},
                 "weight of Linear 'w' must have 2 axes, not the shape (3,)"),
    "bias of another size": (
        lambda: chain(lif(), w=nir.Affine(np.ones((4, 3)), np.ones(3))), {},
        "Bias of Affine 'w' must have the shape (4,), not (3,)"),
    "no size": (
        lambda: graph({"x": nir.Input(None), "n": damaged(lif(), tau=np.array(1e-2),
                       r=np.array(1.0), v_leak=np.array(0.0), v_threshold=np.array(1.0),
                       v_reset=np.array(0.0)).nodes["n"], "y": nir.Output(None)}, "x n y"), {},
        "Shape of Input 'x' must be known, from its parameters or its input"),
    "two shapes": (
        lambda: graph(ends() | {"z": nir.Input(np.array([4])), "s": nir.Scale(np.array(2.0)),
                                "w": linear(4, 3), "n": lif()},
                      "x s w n y", "z s"), {},
        "must have one shape, not also"),
    "a node apart": (lambda: graph(ends() | {"w": linear(), "n": lif(), "m": lif()}, "x w n y"), {},
                     "LIF 'm' must be reached from an Input, not stand apart"),
    "a dead end": (
        lambda: graph(ends() | {"w": linear(), "n": lif(), "m": lif()}, "x w n y", "n m"), {},
        "LIF 'm' must lead to an Output, not stand apart"),
    "no input": (lambda: graph({"n": lif(), "y": ends()["y"]}, "n y"), {},
                 "Graph must have an Input node, not only ['n', 'y']"),
    "no output": (lambda: graph({"n": lif(3), "x": ends()["x"]}, "x n"), {},
                  "Graph must have an Output node, not only ['n', 'x']"),
    "nothing": (lambda: nir.NIRGraph({}, [], type_check=False), {},
                "Graph must have an Input node, not only []"),
    "an edge to nowhere": (
        lambda: graph(ends() | {"w": linear(), "n": lif()}, "x w n y", "n z"), {},
        "Edge 'n' to 'z' of Graph must join nodes that are there, not 'z'"),
    "an edge twice": (lambda: graph(ends() | {"w": linear(), "n": lif()}, "x w n y", "x w"), {},
                      "Edge 'x' to 'w' of Graph must be there once, not 2"),
    "a graph with two inputs": (lambda: chain(SUB), {},
                                "Graph 'n' must have one Input node to be connected, not 2"),
    "a cycle of matrices": (
        lambda: graph(ends() | {"w": linear(), "a": linear(4, 4), "b": linear(4, 4), "n": lif()},
                      "x w a b a n y"), {},
        "A cycle must pass a neuron, and so a step of time, not only a -> b -> a"),
    "a cycle of a matrix": (
        lambda: graph(ends() | {"w": linear(), "a": linear(4, 4), "n": lif()}, "x w a a n y"), {},
        "A cycle must pass a neuron, and so a step of time, not only a -> a"),
    "potentials between neurons": (
        lambda: graph(ends() | {"w": linear(), "l": nir.LI(*(np.ones(4),) * 3), "n": lif()},
                      "x w l n y"), {},
        "LIF 'n' must take spikes, not potentials of 'l', which only an Output or one Threshold"),
    "two thresholds": (
        lambda: graph(ends() | {"w": linear(), "l": nir.LI(*(np.ones(4),) * 3),
                                "s": nir.Threshold(np.ones(4)), "t": nir.Threshold(np.ones(4))},
                      "x w l s y", "l t y"), {},
        "Threshold 's' must take spikes, not potentials of 'l'"),
    "a kernel of three": (
        lambda: graph({"x": nir.Input(np.array([1, 4, 4])), "y": nir.Output(None),
                       "p": nir.SumPool2d(np.array([2, 2, 2]), 2, 0), "n": lif()}, "x p n y"), {},
        "kernel_size of SumPool2d 'p' must be one or two whole numbers, not [2.0, 2.0, 2.0]"),
    "a kernel too large": (
        lambda: graph({"x": nir.Input(np.array([1, 4, 4])), "y": nir.Output(None),
                       "p": nir.SumPool2d(np.array([5, 5]), 2, 0)}, "x p y"), {},
        "Input of SumPool2d 'p' must have room for a kernel of (5, 5)"),
    "half an input": (lambda: graph({"x": nir.Input(np.array([2.5])), "n": lif(),
                                     "y": ends()["y"]}, "x n y"), {},
                      "shape of Input 'x' must be positive integers, not [2.5]"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_graph(name):
    make, options, message = BAD[name]
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        from_nir(make(), dt=DT, **options)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


ARGUMENTS = [
    ({"source": 3}, TypeError, "Source must be a NIRGraph or the path of a file, not 3"),
    ({"dt": None}, ValueError, "Time step dt must be given, in the unit of the graph's time"),
    ({"dt": 0.0}, ValueError, "Time step dt must be positive and finite, not 0.0"),
    ({"dt": float("nan")}, ValueError, "Time step dt must be positive and finite, not nan"),
    ({"dt": True}, TypeError, "Time step dt must be a number, not True"),
    ({"dt": "1 ms"}, TypeError, "Time step dt must be a number, not '1 ms'"),
    ({"rule": "zoh"}, ValueError, "Rule must be one of 'euler', 'exponential', not 'zoh'"),
    ({"writer": "lava"}, ValueError, "Writer must be one of 'nir', 'snntorch', 'norse', 'sinabs'"),
    ({"reset": "zero"}, ValueError, "Reset must be one of 'value', 'subtract', not 'zero'"),
    (
        {"reset_timing": "late"},
        ValueError,
        "Reset timing must be one of 'immediate', 'next_step', 'next_step_keep_input', "
        "'snntorch_immediate', not 'late'",
    ),
    (
        {"reset_timing": "snntorch_immediate"},
        ValueError,
        "Reset timing must be one of 'immediate', 'next_step', 'next_step_keep_input' with "
        "reset='value', not 'snntorch_immediate'",
    ),
    (
        {"reset_timing": "next_step_keep_input", "writer": "snntorch"},
        ValueError,
        "Reset timing must be one of 'immediate', 'next_step', 'snntorch_immediate' with "
        "reset='subtract', not 'next_step_keep_input'",
    ),
    ({"fire": "="}, ValueError, "Fire must be one of '>', '>=', not '='"),
    ({"current": "next"}, ValueError, "Current must be one of 'new', 'old', not 'next'"),
    ({"start": "rest"}, ValueError, "Start must be one of 'zero', 'leak', not 'rest'"),
    ({"dtype": "float"}, ValueError, "dtype must be torch.float32 or torch.float64, not float"),
    ({"readout": "loudest"}, ValueError, "'loudest'"),
]


@pytest.mark.parametrize("arguments, error, message", ARGUMENTS)
def test_a_bad_argument(arguments, error, message):
    options = {"source": chain(lif()), "dt": DT} | arguments
    with pytest.raises(error) as caught:
        from_nir(**options)
    assert message in str(caught.value)


# -- files ---------------------------------------------------------------------------------------


@pytest.fixture
def written(tmp_path):
    """File of a graph."""
    path = tmp_path / "net.nir"
    nodes = ends() | {"w": linear(), "n": lif()}
    nir.write(path, nir.NIRGraph(nodes, [("x", "w"), ("w", "n"), ("n", "y")]))
    return path


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="net"):
        from_nir(tmp_path / "net.nir", dt=DT)


@pytest.mark.parametrize(
    "content",
    [b"", b"not a file of any kind", bytes(1000)],
    ids=["empty", "text", "zeros"],
)
def test_a_file_that_is_not_hdf(tmp_path, content):
    path = tmp_path / "net.nir"
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"net.nir: must be a (NIR file, in|whole file in) HDF5, not"
    ):
        from_nir(path, dt=DT)


def test_a_file_that_is_cut_short(written, tmp_path):
    whole = written.read_bytes()
    for size in range(0, len(whole), max(1, len(whole) // 25)):
        path = tmp_path / "cut.nir"
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"cut.nir: must be a (whole|NIR) file"):
            from_nir(path, dt=DT)


def test_a_file_with_damage(written, tmp_path):
    whole = written.read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        path = tmp_path / "worn.nir"
        worn = bytearray(whole)
        for place in random.integers(0, len(whole), 6):
            worn[place] = random.integers(0, 256)
        path.write_bytes(worn)
        try:
            from_nir(path, dt=DT)
        except ValueError:
            refused += 1
    assert refused > 8


def edit(path, change):
    """Change a file's content."""
    with h5py.File(path, "r+") as file:
        change(file)


def test_a_file_of_something_else(written):
    edit(written, lambda file: file.move("node", "weights"))
    message = r"net.nir: must have a node, not \['version', 'weights'\]"
    with pytest.raises(ValueError, match=message):
        from_nir(written, dt=DT)


def test_a_file_of_one_node(written):
    def change(file):
        del file["node"]
        file["node/type"] = "LIF"

    edit(written, change)
    with pytest.raises(ValueError, match=r"File '.*' must hold a NIRGraph, not 'LIF'"):
        from_nir(written, dt=DT)


def test_a_file_without_a_parameter(written):
    edit(written, lambda file: file.__delitem__("node/nodes/n/tau"))
    with pytest.raises(ValueError, match="LIF 'n' must have the parameter 'tau'"):
        from_nir(written, dt=DT)


def endless(file):
    """Put a graph into itself."""
    file["node/nodes/g"] = file["node"]


def elsewhere(file):
    """Let a node lie in another file."""
    file["node/nodes/g"] = h5py.ExternalLink("other.nir", "/node")


def huge(file):
    """Claim more numbers than there is memory."""
    del file["node/nodes/n/tau"]
    file.create_dataset("node/nodes/n/tau", shape=(2**40,), dtype=float, chunks=(1024,))


@pytest.mark.parametrize(
    "change, message",
    [
        (endless, "it has groups in each other deeper than 64"),
        (elsewhere, "'/node/nodes' leads elsewhere by 'g'"),
        (huge, "'/node/nodes/n/tau' has 8796093022208 bytes, more than the"),
    ],
)
def test_a_file_that_means_harm(written, change, message):
    edit(written, change)
    with pytest.raises(
        ValueError, match=f"net.nir: must be a whole file in HDF5, not one where {message}"
    ):
        from_nir(written, dt=DT)


def test_a_file_without_edges(written):
    edit(written, lambda file: file.__delitem__("node/edges"))
    with pytest.raises(ValueError, match=r"File '.*' must have nodes and edges, not \["):
        from_nir(written, dt=DT)


@pytest.mark.parametrize("kind", ["LIF", "IF", "CubaLIF"])
def test_an_older_file_resets_to_zero(tmp_path, kind):
    node = {"LIF": lif(), "IF": nir.IF(np.ones(4), np.ones(4)), "CubaLIF": cuba()}[kind]
    path = tmp_path / "old.nir"
    nir.write(path, nir.NIRGraph(ends() | {"w": linear(), "n": node},
                                 [("x", "w"), ("w", "n"), ("n", "y")]))  # fmt: skip
    now = from_nir(path, dt=DT)
    edit(path, lambda file: file.__delitem__("node/nodes/n/v_reset"))
    if kind == "CubaLIF":
        edit(path, lambda file: file.__delitem__("node/nodes/n/w_in"))
    old = from_nir(path, dt=DT)
    assert old.layer["n"].cell.settings == now.layer["n"].cell.settings
    assert old.layer["n"].cell.settings["reset"] == "zero"
    assert old.connections[0].weights.tolist() == now.connections[0].weights.tolist()


def test_a_file_with_a_graph_in_a_graph(tmp_path):
    inner = nir.NIRGraph(
        {"i": nir.Input(np.array([4])), "n": lif(), "o": nir.Output(np.array([4]))},
        [("i", "n"), ("n", "o")],
    )
    path = tmp_path / "nested.nir"
    exported = nir.NIRGraph(
        ends() | {"w": linear(), "g": inner}, [("x", "w"), ("w", "g"), ("g", "y")]
    )
    nir.write(path, exported)
    net = from_nir(path, dt=DT)
    assert [layer.name for layer in net.layers] == ["g_n"]
    assert [(connection.source, connection.target) for connection in net.connections] == [
        ("x", "g_n")
    ]
