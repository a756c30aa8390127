"""The identity that a board reports: which library, network and mapping it was built with."""

from dataclasses import dataclass
from typing import ClassVar

from spiker_hdl.model import Mapping, Network
from spiker_hdl.model.encoders import Encoding
from spiker_hdl.model.mapping.reload import structure

from .frames import LINK_VERSION, PAGE
from .registers import MAGIC, mapping_digest, version_numbers

__all__ = ["Identity"]

FORMS = ("words", "events", "values")
"""Forms in which samples enter, by the number in the identity."""

MARKS = 256
"""Number of populations for which the identity has a bit: whether they are writable."""


@dataclass(frozen=True)
class Identity:
    """The identity that a board reports.

    Members
    -------
    library : str
        Version of the library that built it.
    network : str
        SHA-256 of the network that was built or loaded last, in hexadecimal; 0 if there is none, or
        if it was not loaded as a whole.
    mapping : str
        SHA-256 of the mapping, in hexadecimal: :func:`~.registers.mapping_digest`.
    form : {"words", "events", "values"}
        Form in which samples enter: values if an encoder makes the spikes.
    word : int
        Channels in a word of a spike vector; bits of a value.
    structure : str
        SHA-256 of the structure that a network must have to be loaded, in hexadecimal:
        :func:`spiker_hdl.model.mapping.reload.structure`; empty if nothing is writable.
    writable : frozenset of int
        Numbers of the writable populations.
    encoding : str
        SHA-256 of the encoder's settings, in hexadecimal; empty if there is no encoder.
    """

    library: str
    network: str
    mapping: str
    form: str
    word: int
    structure: str = ""
    writable: frozenset[int] = frozenset()
    encoding: str = ""

    PAGES: ClassVar[int] = 4
    NETWORK: ClassVar[int] = 12  # offset of the digest of the network

    @classmethod
    def of(
        cls, network: Network, mapping: Mapping, version: str, encoding: Encoding | None = None
    ) -> "Identity":
        """Return the identity of a board with a network."""
        reported = network.digest
        if any(core.weights == "uninitialized" for core in mapping.cores.values()):
            reported = "0" * len(reported)  # there is no network before one is loaded
        writable = frozenset(
            n
            for n, population in enumerate(network.populations)
            if population.name in mapping.writable
        )
        if max(writable, default=0) >= MARKS:
            raise ValueError(
                f"Writable populations must be among the first {MARKS}, not {max(writable) + 1}"
            )
        return cls(
            library=".".join(str(number) for number in version_numbers(version)),
            network=reported,
            mapping=mapping_digest(mapping),
            form=mapping.form if encoding is None else "values",
            word=mapping.word if encoding is None else encoding.bits,
            structure=structure(network, mapping) if writable else "",
            writable=writable,
            encoding="" if encoding is None else encoding.digest,
        )

    def to_bytes(self) -> bytes:
        """Return all pages, of :data:`PAGE` bytes each."""
        text = b"".join((
            MAGIC.to_bytes(4, "big"),
            bytes([LINK_VERSION, FORMS.index(self.form)]),
            self.word.to_bytes(2, "little"),
            bytes([0, *(int(number) for number in self.library.split("."))]),
            bytes.fromhex(self.network),
            bytes.fromhex(self.mapping),
            bytes.fromhex(self.structure).ljust(32, b"\0"),
            sum(1 << n for n in self.writable).to_bytes(MARKS // 8, "little"),
            bytes.fromhex(self.encoding).ljust(32, b"\0"),
        ))
        return text.ljust(self.PAGES * PAGE, b"\0")

    @classmethod
    def from_bytes(cls, text: bytes) -> "Identity":
        """Read the pages that :meth:`to_bytes` returns.

        Raises
        ------
        ValueError
            If it is not an identity, or one of another version of the link.
        """
        if len(text) != cls.PAGES * PAGE or text[:4] != MAGIC.to_bytes(4, "big"):
            raise ValueError(f"Identity must begin with SPKR, not {text[:4]!r}")
        if text[4] != LINK_VERSION:
            raise ValueError(
                f"Board must speak version {LINK_VERSION} of the link, not {text[4]}: build it "
                "with this library, or use the library that built it"
            )
        return cls(
            ".".join(str(number) for number in text[9:12]),
            text[12:44].hex(),
            text[44:76].hex(),
            FORMS[text[5]],
            int.from_bytes(text[6:8], "little"),
            text[76:108].hex() if any(text[76:108]) else "",
            frozenset(n for n in range(MARKS) if text[108 + n // 8] >> n % 8 & 1),
            text[140:172].hex() if any(text[140:172]) else "",
        )
