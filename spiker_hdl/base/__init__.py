"""What every other package may use: how files are read, and errors of what is in them."""

from . import strict_json
from .errors import FileError
from .messages import shown, visible
from .reading import READERS, Reader, digest_of, read_bytes, read_text, reader, reading

__all__ = [
    "READERS",
    "FileError",
    "Reader",
    "digest_of",
    "read_bytes",
    "read_text",
    "reader",
    "reading",
    "shown",
    "strict_json",
    "visible",
]
