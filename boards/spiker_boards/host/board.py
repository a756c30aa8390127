"""The host: what runs a network on a board, as the reference does.

Loads NumPy and pyserial, and neither Amaranth nor PyTorch.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_kind
from spiker_hdl.link.protocol.frames import Identity
from spiker_hdl.link.protocol.payloads import (
    Port,
    ResultLayout,
    data_payloads,
    load_payloads,
    value_payloads,
)
from spiker_hdl.link.protocol.registers import mapping_digest
from spiker_hdl.model import AnswerPolicy, Mapping, Network, Result, check_record, stimulus
from spiker_hdl.model.encoders import Encoding
from spiker_hdl.model.mapping.reload import beats, check_structure, with_worst_case_bounds

from .connection import BoardError, Line

__all__ = ["Board", "BoardError"]

AT_THE_END = AnswerPolicy()
BATCH = 256  # samples that are checked at a time


class Board(Line):
    """A board with an accelerator.

    Parameters
    ----------
    port : str
        Name of a serial port, or a URL that pyserial knows.
    baud : int
        Bits a second.
    timeout : float
        Seconds without anything new after which a run is given up. A board that was unplugged or
        reset meanwhile goes on where it was, within that time.

    Attributes
    ----------
    damaged, resent, sessions : int
        Frames that came damaged, frames of data that were sent again, and sessions, in all runs.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not as it must be.
    BoardError
        If there is no such port.
    """

    def identify(self) -> Identity:
        """Return what the board says of itself.

        Raises
        ------
        BoardError
            If it does not answer, or speaks another version of the link.
        """
        return self._persist(self._identify, lambda: "the board does not say what it is")

    def run(
        self,
        network: Network,
        spikes: Any,
        *,
        record: Sequence[str] = (),
        reports: AnswerPolicy = AT_THE_END,
        progress: Callable[[int], None] | None = None,
    ) -> Result:
        """Run samples on the board: see :func:`spiker_hdl.model.reference.run`.

        Parameters
        ----------
        network : Network
            That for which the board was built.
        spikes : array of int, list of arrays, or a mapping from input names to such
        record : sequence of str
            Must be empty: a board has no ports for what is recorded.
        reports : Reports
            Must be after the last step.
        progress : callable, optional
            Called with the number of samples done, as they are.

        Returns
        -------
        Result
            ``cycles`` count from the first beat of a sample, as fast as the link brought it.

        Raises
        ------
        TypeError, ValueError
            If the spikes are not what the network takes, or what is asked for is not what boards
            do.
        BoardError
            If the board is not the network's, or does not answer: it says which samples have no
            answer.
        """
        check_kind("Network", network, Network)
        reports.check(network)
        given = stimulus(network, spikes, window=reports.window)
        if check_record(network, record):
            raise ValueError(f"Record must be empty on a board, not {tuple(record)!r}")
        if reports.stepwise:
            raise ValueError(f"Reports must be after the last step on a board, not {reports!r}")

        def payloads(identity: Identity, n: int) -> Iterator[bytes]:
            if identity.form == "values":
                raise BoardError("Board makes spikes itself, and must be given values: run_values")
            ports = [Port.of(one, n, identity) for n, one in enumerate(network.inputs)]
            return data_payloads(ports, given.sample(n))

        return self._answers(network, len(given), payloads, progress)

    def run_values(
        self,
        network: Network,
        values: np.ndarray,
        *,
        encoding: Encoding | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Result:
        """Run samples of which the board itself makes spikes.

        Parameters
        ----------
        network : Network
            That for which the board was built.
        values : array of int, shape (samples, ...), or for ``"delta"`` (samples, steps, ...)
            Pixels or signals, as :meth:`~spiker_hdl.model.encoders.Encoding.encode` takes them.
        encoding : Encoding, optional
            With which the board was built; what the network's notes say where none is given.
        progress : callable, optional
            Called with the number of samples done, as they are.

        Returns
        -------
        Result
            That of the reference for the values encoded; ``cycles`` count from the first word that
            the encoder made.

        Raises
        ------
        TypeError, ValueError
            If the values are not what the encoding takes, or it does not go with the network.
        BoardError
            If the board is not the network's, has another encoder or none, or does not answer.
        """
        check_kind("Network", network, Network)
        encoding = Encoding.of(network) if encoding is None else encoding
        check_kind("Encoding", encoding, Encoding, "an")
        for start in range(0, len(values), BATCH):  # checked as the reference does
            stimulus(network, encoding.encode(values[start : start + BATCH]))

        def payloads(identity: Identity, n: int) -> Iterator[bytes]:
            if identity.encoding != encoding.digest:
                has = f"one of SHA-256 {identity.encoding[:16]}" if identity.encoding else "none"
                raise BoardError(
                    f"Board must have the encoder {encoding.name!r} (SHA-256 "
                    f"{encoding.digest[:16]}), not {has}: build it for this encoding"
                )
            return value_payloads(encoding.bits, values[n])

        return self._answers(network, len(values), payloads, progress)

    def _answers(
        self,
        network: Network,
        samples: int,
        payloads: Callable[[Identity, int], Iterator[bytes]],
        progress: Callable[[int], None] | None,
    ) -> Result:
        """Return what the board answers to samples, each in payloads of its own."""
        layout = ResultLayout(network)
        found: list[bytes] = []

        def left() -> str:
            first, last = len(found), samples - 1
            return f"sample {first}" if first == last else f"samples {first} to {last}"

        def go_on() -> None:
            nonlocal layout
            identity = self._identify()
            self._check(identity, network)
            if not found:
                names = [one.name for one in network.populations]
                layout = ResultLayout(
                    with_worst_case_bounds(network, [names[n] for n in identity.writable])
                )
            rest = [partial(payloads, identity, n) for n in range(len(found), samples)]
            self._session_of(rest, layout, found, progress)

        self._persist(go_on, lambda: f"{left()} of {samples} without answer", lambda: len(found))
        return layout.result(found, "board")

    def load(
        self,
        network: Network,
        mapping: Mapping,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Load a network's numbers into a board that was built for another, or without any.

        Parameters
        ----------
        network : Network
            Of the same structure: see :func:`spiker_hdl.model.mapping.reload.structure`.
        mapping : Mapping
            With which the board was built.
        progress : callable, optional
            Called with the number of frames that the board has taken, as it takes them: as many
            as :func:`spiker_hdl.link.protocol.payloads.load_payloads` gives.

        Raises
        ------
        TypeError, ValueError
            If a parameter is not as it must be.
        BoardError
            If the board takes no such network, or does not answer: it holds no network then.
        """
        check_kind("Network", network, Network)
        check_kind("Mapping", mapping, Mapping)
        mapping.check(network)
        if not mapping.writable:
            raise ValueError("Mapping must have a writable population for a network to be loaded")
        words = beats(network, mapping)
        told, written = 0, 0

        def tell(count: int) -> None:
            nonlocal told, written
            written = count
            if progress is not None and count > told:
                progress(count - told)
                told = count

        def go_on() -> None:
            identity = self._identify()
            if identity.network == network.digest and written:
                return
            self._check_structure(identity, network, mapping)
            exchange = self._open(load_payloads(len(network.inputs), words), 0)
            self._talk(exchange, lambda: tell(exchange.taken))
            if self._identify().network != network.digest:
                raise TimeoutError("it does not say that it holds the network")

        self._persist(go_on, lambda: f"{network.name!r} is not loaded", lambda: written)

    @staticmethod
    def _check(identity: Identity, network: Network) -> None:
        if identity.network == network.digest:
            return
        if identity.writable:
            way = "load it, or build it for this network"
        else:
            way = "build it for this network"
        held = f"that of {identity.network[:16]}" if int(identity.network, 16) else "none"
        raise BoardError(
            f"Board must hold the network {network.name!r} (SHA-256 {network.digest[:16]}), "
            f"not {held}: {way}"
        )

    @staticmethod
    def _check_structure(identity: Identity, network: Network, mapping: Mapping) -> None:
        if not identity.writable:
            raise BoardError("Board must have writable memories, not none: build it with them")
        if identity.mapping != mapping_digest(mapping):
            raise BoardError(
                f"Mapping must be that of the board (SHA-256 {identity.mapping[:16]}), not "
                f"{mapping_digest(mapping)[:16]}"
            )
        try:
            check_structure(network, mapping, identity.structure)
        except ValueError as error:
            raise BoardError(str(error)) from None

    def _session_of(
        self,
        samples: list[Callable[[], Iterator[bytes]]],
        layout: ResultLayout,
        found: list[bytes],
        progress: Callable[[int], None] | None,
    ) -> None:
        """Run the samples that have no answer yet in a session; note what is answered at once."""
        start = len(found)
        payloads = chain.from_iterable(one() for one in samples)
        exchange = self._open(payloads, len(samples) * layout.frames)

        def note() -> None:
            whole = start + len(exchange.found) // layout.frames
            if whole > len(found):
                done = whole - len(found)
                while len(found) < whole:
                    first = (len(found) - start) * layout.frames
                    found.append(b"".join(exchange.found[first : first + layout.frames]))
                if progress is not None:
                    progress(done)

        self._talk(exchange, note)
