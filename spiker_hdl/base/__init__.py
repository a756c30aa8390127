"""What all other packages may use: checks, files, and errors of their contents."""

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
