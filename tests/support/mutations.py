"""Damage of files: at random, and by their structure."""

import gzip
import io
import json
import struct
import warnings
import zipfile
from random import Random

__all__ = ["changed_json", "mutate"]

NUMBERS = [0, 1, -1, 2, 7, 255, 2**16, 2**20, 2**31 - 1, 2**31, 2**40, 2**63, -(2**63), 10**30]
VALUES = [
    *NUMBERS, 10**4200, 0.5, -0.0, 1e308, 5e-324, None, True, False, "", "in", "a.b", "\x1b[31m",
    "\0",
    "x" * 300, "x" * 70_000, "é" * 9, "../up", "/etc", [], {}, [[]], [1], [1, 2, 3], [2**40, 2**40],
    {"a": 1}, [None] * 50, [[[[[[]]]]]],
]  # fmt: skip
LITERALS = ["NaN", "-Infinity", "1e999", '"\\ud800"', "9" * 5000, "[" * 3000, '{"a":' * 3000, "1 2"]
KINDS = "<i1 <i8 >i4 <u8 <f4 <f2 |b1 <c8 |O <U4 |S3 |V8 <m8 x".split()
SHAPES = [
    "()", "(0,)", "(1,)", "(-1,)", "(3, 0)", "(1099511627776,)", "(4294967296, 4294967296)",
    "(2, 2, 2)", "(1,) * 9", "(9223372036854775807,)", "(" + "1," * 40 + ")", "3", "(1.0,)",
]  # fmt: skip
TYPES = ["F32", "F64", "BF16", "F8_E4M3", "F8_E5M2", "I8", "U64", "BOOL", "F4", "X"]


def mutate(data: bytes, random: Random, depth: int = 0) -> bytes:
    """Return a damaged file, most often with the damage in a part that a reader sees."""
    way = _way(data)
    if way is None or depth > 2 or random.random() < 0.3:
        return _bytes(data, random)
    try:
        return way(data, random, depth)
    except Exception:  # it was damaged before, and has no valid parts any more
        return _bytes(data, random)


def _way(data: bytes):
    if data[:2] == b"PK":
        return _zip
    if data[:2] == b"\x1f\x8b":
        return _gzip
    if data[:6] == b"\x93NUMPY":
        return _npy
    if data[:4] == b"\x89HDF":
        return _hdf5
    if data[8:9] == b"{":
        return _safetensors
    if data.lstrip()[:1] in {b"{", b"["}:
        return lambda data, random, depth: changed_json(data, random)
    return None


def _bytes(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice([1, 1, 1, 2, 4, 8])):
        if not changed:
            return random.randbytes(random.randrange(40))
        at, length = random.randrange(len(changed)), random.choice([1, 1, 2, 4, 8, 30])
        kind = random.randrange(8)
        if kind == 0:
            changed[at] ^= 1 << random.randrange(8)
        elif kind == 1:
            del changed[at:]
        elif kind == 2:
            del changed[at : at + length]
        elif kind == 3:
            changed[at:at] = random.randbytes(length)
        elif kind == 4:
            start = random.randrange(len(changed))
            changed[at : at + length] = changed[start : start + length]
        elif kind == 5:
            changed[at : at + length] = bytes(length)
        elif kind == 6:
            number = random.choice(NUMBERS) & 2**64 - 1
            order, size = random.choice(["little", "big"]), random.choice([2, 4, 8])
            changed[at : at + size] = (number & (1 << 8 * size) - 1).to_bytes(size, order)
        else:
            changed += random.randbytes(length)
    return bytes(changed)


# -- JSON ----------------------------------------------------------------------------------------


def _places(value, path=()):
    yield path
    if isinstance(value, dict | list):
        keys = value if isinstance(value, dict) else range(len(value))
        for key in list(keys)[:50]:
            yield from _places(value[key], (*path, key))


def changed_json(data: bytes, random: Random) -> bytes:
    """Return JSON in which a value is another, a key is twice or gone, or there is none."""
    if random.random() < 0.1:
        return _bytes(data, random)
    value = json.loads(data)
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        *way, last = random.choice([place for place in _places(value) if place] or [("",)])
        if last == "":
            return json.dumps(random.choice(VALUES[:20])).encode()
        at = value
        for key in way:
            at = at[key]
        kind = random.randrange(7)
        if kind == 0:
            del at[last]
        elif kind == 1 and isinstance(at, dict):
            at[random.choice(["", "a", "x" * 400, "\x1b]0;t\x07"])] = at[last]
        elif kind == 2 and isinstance(at[last], int) and not isinstance(at[last], bool):
            at[last] += random.choice([-1, 1, 2**20])
        elif kind == 3:
            mark = "MARK" * 3
            at[last] = mark
            text = json.dumps(value).replace(f'"{mark}"', random.choice(LITERALS), 1)
            return text.encode()
        elif kind == 4 and isinstance(at, dict) and isinstance(last, str):
            twice = f"{json.dumps(last)}: 1, {json.dumps(last)}: 2, "
            return json.dumps(value).replace("{", "{" + twice, 1).encode()
        else:
            at[last] = random.choice(VALUES[:13] + VALUES[14:])
    return json.dumps(value).encode()


# -- containers ----------------------------------------------------------------------------------


def _zip(data: bytes, random: Random, depth: int) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = [(member.filename, archive.read(member)) for member in archive.infolist()]
        methods = [member.compress_type for member in archive.infolist()]
    at = random.randrange(len(parts))
    name, content = parts[at]
    kind = random.randrange(10)
    if kind < 6:
        parts[at] = (name, mutate(content, random, depth + 1))
    elif kind == 6:
        parts.append((random.choice([name, "../up.npy", "x\x1b[2J.npy", "a" * 300]), content))
        methods.append(0)
    elif kind == 7:
        del parts[at], methods[at]
    elif kind == 8:
        methods[at] = random.choice([zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED])
    whole = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(whole, "w") as archive:
        for (name, content), method in zip(parts, methods, strict=True):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, method)
    archived = bytearray(whole.getvalue())
    if kind == 9:  # sizes, offsets, flags and methods as the list of parts says them
        entries = [n for n in range(len(archived) - 46) if archived[n : n + 4] == b"PK\x01\x02"]
        entry = random.choice(entries) + random.choice([8, 10, 16, 20, 24, 28, 30, 42])
        number = random.choice(NUMBERS) & 2**32 - 1
        archived[entry : entry + 4] = number.to_bytes(4, "little")
    return bytes(archived)


def _gzip(data: bytes, random: Random, depth: int) -> bytes:
    return gzip.compress(mutate(gzip.decompress(data), random, depth + 1), mtime=0)


def _npy(data: bytes, random: Random, depth: int) -> bytes:
    length = int.from_bytes(data[8:10], "little")
    text, rest = data[10 : 10 + length].decode("latin-1"), data[10 + length :]
    start, shape = text.index("(", text.index("shape")), text.index(")", text.index("shape"))
    kind = random.randrange(6)
    if kind == 0:
        text = text[:start] + random.choice(SHAPES) + text[shape + 1 :]
    elif kind == 1:
        was = text.split("'descr': ")[1].split(",")[0]
        text = text.replace(was, repr(random.choice(KINDS)), 1)
    elif kind == 2:
        text = text.replace("False", "True", 1)
    elif kind == 3:
        text = _bytes(text.encode(), random).decode("latin-1")
    elif kind == 4:
        rest = _bytes(rest, random)
    else:
        count = max(1, len(rest) // 8)
        rest = struct.pack("<q", random.choice(NUMBERS[:-2])) * count + rest[8 * count :]
    version = random.choice([b"\1\0", b"\1\0", b"\1\0", b"\2\0", b"\3\0", b"\4\0"])
    size = len(text).to_bytes(2 if version[0] == 1 else 4, "little")
    return data[:6] + version + size + text.encode("latin-1") + rest


def _safetensors(data: bytes, random: Random, depth: int) -> bytes:
    length = int.from_bytes(data[:8], "little")
    head, rest = json.loads(data[8 : 8 + length]), data[8 + length :]
    kind = random.randrange(5)
    names = [name for name in head if name != "__metadata__"]
    if kind == 0 and names:
        head[random.choice(names)]["dtype"] = random.choice(TYPES)
    elif kind == 1 and "__metadata__" in head:
        key, text = random.choice([*head["__metadata__"].items()])
        if text.startswith("{"):
            changed = changed_json(text.encode(), random).decode("utf-8", "replace")
            head["__metadata__"][key] = changed
    elif kind == 2:
        rest = _bytes(rest, random)
    else:
        text = changed_json(json.dumps(head).encode(), random)
        return len(text).to_bytes(8, "little") + text + rest
    text = json.dumps(head).encode()
    return len(text).to_bytes(8, "little") + text + rest


def _hdf5(data: bytes, random: Random, depth: int) -> bytes:
    import h5py
    import numpy as np

    if random.random() < 0.5:
        return _bytes(data, random)
    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        name = random.choice(names)
        kind = random.randrange(5)
        if kind == 0:
            del file[name]
        elif kind == 1:
            file["more"] = file[name]
        else:
            del file[name]
            file[name] = random.choice([
                np.float64(1), np.int8(-3), np.zeros((0,)), np.full(3, np.nan),
                np.full((2, 2), 1e300),
                np.zeros((1, 2, 3, 4)), "LIF", b"NIRGraph", "\x1b[2J", np.array([b"a", b"b"]),
                np.array([[b"x", b"n"]]), np.zeros(2, "i1,f4"), np.complex64(1j),
                np.int64(-(2**62)),
            ])  # fmt: skip
    return buffer.getvalue()
