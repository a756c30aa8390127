"""What tests of the command share: a network for the digits, and how the command is called."""

import pytest

from spiker_cli.main import main

from support.small import make_network


@pytest.fixture
def network_file(tmp_path):
    """Path of a network file whose notes say how to run the digits."""
    path = tmp_path / "small.spiker"
    make_network().save(path)
    return path


@pytest.fixture
def spiker(capsys):
    """Call the command; return exit code, standard output and standard error."""

    def call(*arguments):
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        output = capsys.readouterr()
        return code, output.out, output.err

    return call


@pytest.fixture
def refused(spiker):
    """Call the command with bad input; return the one line that it says."""

    def call(*arguments):
        code, out, err = spiker(*arguments)
        assert (code, out) == (2, "")
        line = err.splitlines()[-1]
        assert line.startswith("spiker: ")
        others = err.splitlines()[:-1]
        assert not [other for other in others if "Traceback" in other]
        return line.removeprefix("spiker: ")

    return call
