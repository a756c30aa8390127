"""What all other packages may use: checks, files, and errors of their contents."""

from .errors import FileError
from .files import strict_json
from .files.reading import READERS, Reader, digest_of, read_bytes, read_text, reader, reading
from .messages import shown, visible

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
