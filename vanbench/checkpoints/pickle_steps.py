"""The instructions of a pickle, one by one, in bounded time and memory.

Python's ``pickletools`` has the table of instructions. Its reader is not used: it makes numbers and
texts of any size.
"""

import pickletools
import struct
from collections.abc import Callable, Iterator
from typing import IO, Any

from vanbench.checkpoints.stored import Malformed

MOST_STEPS = 2_000_000  # of all instructions; the largest VAN takes 150,000
MOST_BYTES = 64 << 20
_LINE = 1000  # bytes of the name of a module, a class or a function
_NUMBER = 16  # bytes of a whole number; a legacy file begins with one of ten

_LENGTHS = {  # bytes of the length before an argument
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}


def _unsigned(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _signed(data: bytes) -> int:
    if len(data) > _NUMBER:
        raise Malformed(f"a whole number of {len(data)} bytes")
    return int.from_bytes(data, "little", signed=True)


def _float(data: bytes) -> float:
    return float(struct.unpack(">d", data)[0])


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _latin(data: bytes) -> str:
    return data.decode("latin-1")


_VALUES: dict[str, Callable[[bytes], Any]] = {
    "BININT": _signed, "BININT1": _unsigned, "BININT2": _unsigned, "LONG1": _signed,
    "BINFLOAT": _float, "BINUNICODE": _text, "SHORT_BINUNICODE": _text, "SHORT_BINSTRING": _latin,
    "BINPUT": _unsigned, "LONG_BINPUT": _unsigned, "BINGET": _unsigned, "LONG_BINGET": _unsigned,
}  # fmt: skip

# By an instruction's byte: its name, the bytes of its argument or of the length before it, and what
# the argument means, where that is of use.
_FIXED: dict[bytes, tuple[str, int, Callable[[bytes], Any] | None]] = {}
_COUNTED: dict[bytes, tuple[str, int, Callable[[bytes], Any] | None]] = {}
_LINES: dict[bytes, tuple[str, int]] = {}
for _op in pickletools.opcodes:
    _code, _size = _op.code.encode("latin-1"), _op.arg.n if _op.arg else 0
    if _size in _LENGTHS:
        _COUNTED[_code] = _op.name, _LENGTHS[_size], _VALUES.get(_op.name)
    elif _size == pickletools.UP_TO_NEWLINE:
        _LINES[_code] = _op.name, 2 if _op.name in ("GLOBAL", "INST") else 1
    else:
        _FIXED[_code] = _op.name, _size, _VALUES.get(_op.name)


def instructions(
    stream: IO[bytes], *, most_steps: int = MOST_STEPS, most_bytes: int = MOST_BYTES
) -> Iterator[tuple[str, Any]]:
    """Name and argument of each instruction up to STOP; the stream is left behind it.

    An argument that has no use for weights is None; that of GLOBAL is ``module.name``. Malformed
    for what is no pickle, ends too early, or is too large.
    """
    read, left = stream.read, most_bytes
    for _ in range(most_steps):
        code = read(1)
        argument: Any = None
        if code in _FIXED:
            name, size, value = _FIXED[code]
            data = _exactly(read, size, left) if size else b""
        elif code in _COUNTED:
            name, size, value = _COUNTED[code]
            size = int.from_bytes(_exactly(read, size, left), "little")
            data = _exactly(read, size, left)
        elif code in _LINES:
            name, lines = _LINES[code]
            texts = [_line(stream) for _ in range(lines)]
            argument, size, value = ".".join(texts), sum(map(len, texts)), None
        else:
            found = f"the unknown instruction {code!r}" if code else "no end"
            raise Malformed(f"a pickle with {found}")
        left -= size + 1
        if value is not None:
            argument = value(data)
        yield name, argument
        if name == "STOP":
            return
    raise Malformed(f"a pickle of more than {most_steps:,} instructions")


def _exactly(read: Callable[[int], bytes], size: int, left: int) -> bytes:
    if size > left:
        raise Malformed(f"a pickle with a value of {size:,} bytes, or too large as a whole")
    data = read(size)
    if len(data) < size:
        raise Malformed("a pickle with no end")
    return data


def _line(stream: IO[bytes]) -> str:
    line = stream.readline(_LINE)
    if not line.endswith(b"\n"):
        raise Malformed("a pickle with a name that does not end")
    return line[:-1].decode("utf-8", "replace")
