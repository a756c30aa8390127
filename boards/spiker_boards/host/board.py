"""The host, which runs a network on a board as the reference runs it.

It loads NumPy and pyserial, and neither Amaranth nor PyTorch.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_kind
from spiker_hdl.link.protocol.identity import Identity
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
        Seconds without progress after which a run is given up. A board that is unplugged or reset
        continues where it was, if it is back within that time.

    Attributes
    ----------
    damaged, resent, sessions : int
        Frames that arrived damaged, frames of data that were sent again, and sessions, in all runs.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not as it must be.
    BoardError
        If there is no such port.
    """

    def identify(self) -> Identity:
        """Return the identity of the board.

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
            The network for which the board was built.
        spikes : array of int, list of arrays, or a mapping from input names to such
        record : sequence of str
            Must be empty: a board has no ports for recordings.
        reports : AnswerPolicy
            Must be after the last step.
        progress : callable, optional
            Called with the number of further samples that are done.

        Returns
        -------
        Result
            ``cycles`` count from the first beat of a sample, as fast as the link brought it.

        Raises
        ------
        TypeError, ValueError
            If the network does not take the spikes, or a board cannot do what is asked for.
        BoardError
            If the board holds another network, or does not answer: the message says which samples
            have no answer.
        """
        check_kind("Network", network, Network)
        reports.check(network)
        samples = stimulus(network, spikes, window=reports.window)
        if check_record(network, record):
            raise ValueError(f"Record must be empty on a board, not {tuple(record)!r}")
        if reports.stepwise:
            raise ValueError(f"Reports must be after the last step on a board, not {reports!r}")

        def payloads(identity: Identity, n: int) -> Iterator[bytes]:
            if identity.form == "values":
                raise BoardError("Board makes spikes itself, and must be given values: run_values")
            ports = [Port.of(node, at, identity) for at, node in enumerate(network.inputs)]
            return data_payloads(ports, samples.sample(n))

        return self._answers(network, len(samples), payloads, progress)

    def run_values(
        self,
        network: Network,
        values: np.ndarray,
        *,
        encoding: Encoding | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Result:
        """Run samples that the board itself encodes as spikes.

        Parameters
        ----------
        network : Network
            The network for which the board was built.
        values : array of int, shape (samples, ...), or for ``"delta"`` (samples, steps, ...)
            Pixels or signals, as :meth:`~spiker_hdl.model.encoders.Encoding.encode` takes them.
        encoding : Encoding, optional
            Encoding with which the board was built; by default, as in the network's notes.
        progress : callable, optional
            Called with the number of further samples that are done.

        Returns
        -------
        Result
            The same as the reference returns for the encoded values; ``cycles`` count from the
            first word that the encoder sends.

        Raises
        ------
        TypeError, ValueError
            If the encoding does not take the values, or does not match the network.
        BoardError
            If the board holds another network, has another encoder or none, or does not answer.
        """
        check_kind("Network", network, Network)
        encoding = Encoding.of(network) if encoding is None else encoding
        check_kind("Encoding", encoding, Encoding)
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
        """Return the board's answers to samples, each in payloads of its own."""
        layout = ResultLayout(network)
        answers: list[bytes] = []

        def unanswered() -> str:
            first, last = len(answers), samples - 1
            return f"sample {first}" if first == last else f"samples {first} to {last}"

        def proceed() -> None:
            nonlocal layout
            identity = self._identify()
            self._check(identity, network)
            if not answers:
                names = [population.name for population in network.populations]
                layout = ResultLayout(
                    with_worst_case_bounds(network, [names[n] for n in identity.writable])
                )
            rest = [partial(payloads, identity, n) for n in range(len(answers), samples)]
            self._session_of(rest, layout, answers, progress)

        def lacking() -> str:
            return f"{unanswered()} of {samples} without answer"

        self._persist(proceed, lacking, lambda: len(answers))
        return layout.result(answers, "board")

    def load(
        self,
        network: Network,
        mapping: Mapping,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Load a network's numbers into a board that was built for another network, or for none.

        Parameters
        ----------
        network : Network
            A network of the same structure: see :func:`spiker_hdl.model.mapping.reload.structure`.
        mapping : Mapping
            The mapping with which the board was built.
        progress : callable, optional
            Called with the number of further frames that the board has taken, of those that
            :func:`spiker_hdl.link.protocol.payloads.load_payloads` gives.

        Raises
        ------
        TypeError, ValueError
            If a parameter is not as it must be.
        BoardError
            If the board cannot take the network, or does not answer, and then holds no network.
        """
        check_kind("Network", network, Network)
        check_kind("Mapping", mapping, Mapping)
        mapping.check(network)
        if not mapping.writable:
            raise ValueError("Mapping must have a writable population for a network to be loaded")
        words = beats(network, mapping)
        reported, written = 0, 0

        def report(count: int) -> None:
            nonlocal reported, written
            written = count
            # A new session begins from the first frame: progress counts each frame once.
            if progress is not None and count > reported:
                progress(count - reported)
                reported = count

        def proceed() -> None:
            identity = self._identify()
            if identity.network == network.digest and written:
                return
            self._check_structure(identity, network, mapping)
            exchange = self._open(load_payloads(len(network.inputs), words), 0)
            self._talk(exchange, lambda: report(exchange.taken))
            if self._identify().network != network.digest:
                raise TimeoutError("it does not say that it holds the network")

        self._persist(proceed, lambda: f"{network.name!r} is not loaded", lambda: written)

    @staticmethod
    def _check(identity: Identity, network: Network) -> None:
        if identity.network == network.digest:
            return
        if identity.writable:
            remedy = "load it, or build it for this network"
        else:
            remedy = "build it for this network"
        other = f"that of {identity.network[:16]}" if int(identity.network, 16) else "none"
        raise BoardError(
            f"Board must hold the network {network.name!r} (SHA-256 {network.digest[:16]}), "
            f"not {other}: {remedy}"
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
        answers: list[bytes],
        progress: Callable[[int], None] | None,
    ) -> None:
        """Run the samples that have no answer yet in a session; add each answer as it arrives."""
        start = len(answers)
        payloads = chain.from_iterable(sample() for sample in samples)
        exchange = self._open(payloads, len(samples) * layout.frames)

        def note() -> None:
            complete = start + len(exchange.received) // layout.frames
            if complete > len(answers):
                done = complete - len(answers)
                while len(answers) < complete:
                    first = (len(answers) - start) * layout.frames
                    frames = exchange.received[first : first + layout.frames]
                    answers.append(b"".join(frames))
                if progress is not None:
                    progress(done)

        self._talk(exchange, note)
