"""The account that importers give of the network that they read."""

from dataclasses import dataclass, field

__all__ = ["ImportReport"]


@dataclass(kw_only=True)
class ImportReport:
    """An account of what an importer read, and of what differs from the source.

    The report of each importer has further members; :class:`str` makes text of all of them.

    Members
    -------
    warnings : list of str
        What no network should be, by name, such as neurons that can never fire.
    """

    warnings: list[str] = field(default_factory=list)
