"""The mapping of a network to hardware, as the options of a subcommand choose it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spiker_hdl.base import read_bytes, reader, strict_json
from spiker_hdl.model import Mapping, Network
from spiker_hdl.model.files.load import load_whole
from spiker_hdl.model.mapping.mapping import PRESETS

__all__ = ["MappingOptions"]


@dataclass(frozen=True)
class MappingOptions:
    """What the options of a subcommand say of the mapping.

    Parameters
    ----------
    lanes : int, optional
        Most lanes of a population.
    name : str, optional
        A preset, or a file with a mapping.
    form : str, optional
    word : int, optional
        Fields of the mapping that are changed.
    writable, uninitialized : sequence of str, optional
        Populations that are writable, or all; and those whose weights no bitstream fills.

    Raises
    ------
    ValueError
        If both lanes and a name are given.
    """

    lanes: int | None = None
    name: str | None = None
    form: str | None = None
    word: int | None = None
    writable: Sequence[str] | None = None
    uninitialized: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.lanes is not None and self.name is not None:
            raise ValueError(
                "--mapping must be given without --lanes, not with it: a preset or a file has "
                "lanes of its own"
            )

    @property
    def changes(self) -> dict[str, Any]:
        """Fields of the mapping that are changed."""
        return {
            name: value
            for name, value in (("form", self.form), ("word", self.word))
            if value is not None
        }

    @property
    def sized(self) -> bool:
        """Whether the options say how many lanes there are."""
        return self.lanes is not None or self.name is not None

    @property
    def chosen(self) -> dict[str, Any]:
        """The options that are given, with their values."""
        options = {
            "--lanes": self.lanes,
            "--mapping": self.name,
            "--form": self.form,
            "--word": self.word,
            "--writable": self.writable,
            "--spram": self.uninitialized,
        }
        return {option: value for option, value in options.items() if value not in (None, [])}

    def find(self, network: Network, path: Path | None) -> Mapping:
        """Return the mapping of the options, else the one that was saved with the network.

        Parameters
        ----------
        network : Network
        path : Path, optional
            Where the network was loaded.

        Raises
        ------
        ValueError
            If it is not one for the network, or the file was altered since.
        """
        return self.with_writable(network, self._closed(network, path))

    def with_writable(
        self, network: Network, mapping: Mapping, uninitialized: Sequence[str] = ()
    ) -> Mapping:
        """Return a mapping whose populations are writable as the options say.

        Parameters
        ----------
        network : Network
        mapping : Mapping
        uninitialized : sequence of str
            More populations whose weights no bitstream fills.
        """
        writable, uninitialized = self.writable or (), [*(self.uninitialized or ()), *uninitialized]
        if not writable and not uninitialized:
            return mapping
        if "all" in writable:
            writable = [population.name for population in network.populations]
        return mapping.with_writable(network, writable, uninitialized)

    def _closed(self, network: Network, path: Path | None) -> Mapping:
        if self.lanes is not None:
            return Mapping.folded(network, self.lanes, **self.changes)
        if self.name in PRESETS:
            return Mapping.preset(self.name, network, **self.changes)
        if self.name is not None:
            return self._from_file(network, Path(self.name))
        if self.changes or path is None:
            return Mapping.default(network, **self.changes)
        again, mapping = load_whole(path)
        if again.digest != network.digest:
            raise ValueError(f"Network must stay as it is while it is read, and {path} was altered")
        return mapping or Mapping.default(network)

    def _from_file(self, network: Network, path: Path) -> Mapping:
        if not path.is_file():
            presets = ", ".join(PRESETS)
            raise ValueError(
                f"--mapping must be one of {presets}, or a JSON file that is there, not {path}"
            )
        mapping = replace(_read_mapping(path), **self.changes)
        try:
            mapping.check(network)
        except ValueError as error:
            raise ValueError(f"{path}: must be a mapping of {network.name!r}: {error}") from None
        return mapping


@reader("a mapping, in JSON", "json")
def _read_mapping(path: Path) -> Mapping:
    """Return the mapping that a file is, or holds as reports of `spiker info` do."""
    text = strict_json.parse_object(read_bytes(path))
    return Mapping.from_json(text.get("mapping", text))
