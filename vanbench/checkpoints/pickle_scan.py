"""What a checkpoint's pickle asks for, read without doing it.

A pickle is a program for a stack machine. Here it is walked with inert stand-ins: nothing is
imported, called or allocated, whatever the file says. Only what ``torch.save`` writes for tensors,
and a few leftovers of the training frameworks, passes; torch itself then loads it, with
``weights_only=True`` and stand-ins in place of the leftovers.
"""

import math
import pickletools
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from mmap import mmap
from typing import IO, Any

from vanbench.errors import CheckpointError
from vanbench.file_types import printable

MOST_STEPS = 4_000_000  # of the stack machine; the largest VAN takes 150,000

ITEM_BYTES = {
    "torch.DoubleStorage": 8,
    "torch.FloatStorage": 4,
    "torch.HalfStorage": 2,
    "torch.BFloat16Storage": 2,
    "torch.LongStorage": 8,
    "torch.IntStorage": 4,
    "torch.ShortStorage": 2,
    "torch.CharStorage": 1,
    "torch.ByteStorage": 1,
    "torch.BoolStorage": 1,
}

HISTORY_BUFFER = "mmengine.logging.history_buffer.HistoryBuffer"

# Objects that training frameworks keep beside the tensors. torch gets inert stand-ins under these
# names (``torch_file.Leftover``), so the packages need not be installed.
LEFTOVERS = (
    "argparse.Namespace",
    HISTORY_BUFFER,
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
    "numpy.ndarray",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "pathlib._local.PosixPath",  # Python 3.13
    "pathlib._local.WindowsPath",
)

# A HistoryBuffer names its own statistics by getattr(HistoryBuffer, "mean"). This call alone is
# allowed, and is never made: torch gets an inert stand-in for getattr, too.
GETATTR = "__builtin__.getattr"
_HISTORY_STATISTICS = ("current", "max", "mean", "min")

_TENSORS = ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2")
_PARAMETER = "torch._utils._rebuild_parameter"
_ORDERED_DICT = "collections.OrderedDict"
_COUNTER = "collections.Counter"  # the milestones of a learning-rate schedule
_VALUES = ("torch.float16", "torch.bfloat16", "torch.float32", "torch.float64", "torch.int64")
_PLAIN_CALLS = ("torch.Size", "torch.device", "_codecs.encode")

ALLOWED = {
    *ITEM_BYTES, *LEFTOVERS, *_TENSORS, _PARAMETER, _ORDERED_DICT, _COUNTER, *_VALUES,
    *_PLAIN_CALLS, GETATTR,
}  # fmt: skip

_CONSTANTS = (
    "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING",
    "NONE", "NEWTRUE", "NEWFALSE",
)  # fmt: skip
_EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class Malformed(Exception):
    """A pickle that is not of the kind that holds weights."""


@dataclass(frozen=True, eq=False)
class Global:
    """Stands for a class or function that the pickle names."""

    name: str


@dataclass(eq=False)
class Made:
    """Stands for what a call would have given."""

    by: str


@dataclass(frozen=True, eq=False)
class Storage:
    """The memory behind tensors, as declared."""

    key: str
    kind: str
    numel: int

    @property
    def nbytes(self) -> int:
        return self.numel * ITEM_BYTES[self.kind]


@dataclass
class Content:
    """The value that a pickle stands for, and the storages that it declares."""

    value: Any = None
    storages: dict[str, Storage] = field(default_factory=dict)


def scan(stream: IO[bytes] | mmap) -> Content:
    """Walk the pickle at the position of ``stream``, which is left behind its end.

    Raises CheckpointError naming every class and function that is not allowed, and Malformed for
    anything else that ``torch.save`` would not have written.
    """
    names: set[str] = set()
    steps = _noting(pickletools.genops(stream), names)  # type: ignore[arg-type]
    problem: Exception | None = None
    machine = _Machine()
    try:
        for opcode, argument in steps:
            machine.step(opcode, argument)
    except (Malformed, ValueError, IndexError, AttributeError, TypeError) as error:
        problem = error
        with suppress(Exception):  # the rest is only read for the names in it
            deque(steps, maxlen=0)
    refused = sorted(printable(name)[:100] for name in (names - ALLOWED) | machine.refused)
    if refused:
        shown = ", ".join(refused[:20]) + (", …" if len(refused) > 20 else "")
        raise CheckpointError(
            f"refused, because it asks for more than tensors: {shown}. Nothing of it was run",
            cause="refused, because it asks for more than tensors",
            remedy="If you trust its source, save only its state_dict with torch.save there.",
        )
    if problem:
        raise problem if isinstance(problem, Malformed) else Malformed(str(problem))
    return Content(machine.value, machine.storages)


def _noting(operations: Iterator[Any], names: set[str]) -> Iterator[tuple[str, Any]]:
    """The steps by name and argument, at most MOST_STEPS; the globals they name go to ``names``."""
    texts: deque[str] = deque(maxlen=2)
    for count, (opcode, argument, _) in enumerate(operations):
        if count == MOST_STEPS:
            raise Malformed(f"it takes more than {MOST_STEPS} steps to read")
        if opcode.name in ("GLOBAL", "INST"):
            names.add(argument.replace(" ", ".", 1))
        elif opcode.name == "STACK_GLOBAL":
            names.add(".".join(texts))
        elif isinstance(argument, str):
            texts.append(argument)
        yield opcode.name, argument


class _Machine:
    """The stack machine of the pickle format, with stand-ins for all that it would make."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks under each mark
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}
        self.refused: set[str] = set()  # calls of an allowed function with other arguments
        self.value: Any = None

    def step(self, opcode: str, argument: Any) -> None:
        """One instruction."""
        if opcode in _CONSTANTS:
            self.stack.append(argument if argument is not None else _singleton(opcode))
        elif opcode in _EMPTY:
            self.stack.append(_EMPTY[opcode]())
        elif opcode in _TUPLES:
            count = _TUPLES[opcode]
            self._require(len(self.stack) >= count, "pickle stack underflow")
            self.stack[-count:] = [tuple(self.stack[-count:])]
        elif opcode in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif opcode in ("BINGET", "LONG_BINGET"):
            self._require(argument in self.memo, "a reference to an unknown memo entry")
            self.stack.append(self.memo[argument])
        elif handler := getattr(self, f"_{opcode.lower()}", None):
            handler(argument)
        elif opcode != "PROTO":
            raise Malformed(f"the pickle instruction {opcode}, which weights do not need")

    @staticmethod
    def _require(fact: bool, otherwise: str) -> None:
        if not fact:
            raise Malformed(otherwise)

    def _global(self, argument: str) -> None:
        self.stack.append(Global(argument.replace(" ", ".", 1)))

    def _mark(self, _: None) -> None:
        self.below.append(self.stack)
        self.stack = []

    def _since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.below.pop()
        return items

    def _tuple(self, _: None) -> None:
        items = tuple(self._since_mark())
        self.stack.append(items)

    def _append(self, _: None) -> None:
        self._extend([self.stack.pop()])

    def _appends(self, _: None) -> None:
        self._extend(self._since_mark())

    def _extend(self, items: list[Any]) -> None:
        self._require(type(self.stack[-1]) is list, "items for something that is not a list")
        self.stack[-1].extend(items)

    def _setitem(self, _: None) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._update([key, value])

    def _setitems(self, _: None) -> None:
        self._update(self._since_mark())

    def _update(self, items: list[Any]) -> None:
        self._require(
            type(self.stack[-1]) is dict and len(items) % 2 == 0,
            "keys and values that are not in pairs",
        )
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Hashing a nested tuple can take for ever.
            self._require(
                isinstance(key, str | bytes | int | float | None),
                "a dict key that is a nested tuple",
            )
            self.stack[-1][key] = value

    def _newobj(self, argument: None) -> None:
        self._reduce(argument, only=LEFTOVERS)

    def _reduce(self, _: None, only: tuple[str, ...] | None = None) -> None:
        args, function = self.stack.pop(), self.stack.pop()
        self._require(
            type(args) is tuple and type(function) is Global,
            "a call of something that is not a function",
        )
        self._require(only is None or function.name in only, f"an object of {function.name}")
        self.stack.append(self._call(function.name, args))

    def _call(self, name: str, args: tuple[Any, ...]) -> Any:
        if name in _TENSORS:
            self._check_tensor(*args[:4])
        elif name == _PARAMETER:
            self._require(_made_by(args[0], _TENSORS), "a parameter that is not a tensor")
        elif name == GETATTR:
            self._check_attribute(args)
        elif name == _ORDERED_DICT:
            return self._ordered_dict(*args)
        elif name == _COUNTER:
            self._require(
                len(args) == 1 and type(args[0]) is dict, "a Counter that is not of a dict"
            )
        elif name == "_codecs.encode":
            self._require(args[1:] == ("latin1",), "an encoding other than latin1")
        elif name not in (*LEFTOVERS, *_PLAIN_CALLS):
            raise Malformed(f"a call of {name}")
        return Made(name)

    def _check_attribute(self, args: tuple[Any, ...]) -> None:
        """Refuse every getattr but that of a HistoryBuffer's own statistics."""
        owner, name = args if len(args) == 2 else (None, None)
        known = type(owner) is Global and owner.name == HISTORY_BUFFER
        if not (known and type(name) is str and name in _HISTORY_STATISTICS):
            self.refused.add(GETATTR)
            raise Malformed(f"a call of {GETATTR} for something other than a HistoryBuffer")

    def _ordered_dict(self, pairs: Any = ()) -> Any:
        """Python 2 gave the items as a list of pairs; Python 3 sets them afterwards."""
        self._require(type(pairs) is list or pairs == (), "an OrderedDict of no list of pairs")
        self.stack.append({})
        self._update([item for key, value in pairs for item in (key, value)])
        return self.stack.pop()

    def _build(self, _: None) -> None:
        """State for an object: the ``_metadata`` of a state dict, or a leftover's."""
        self.stack.pop()
        target = self.stack[-1]
        self._require(type(target) is dict or _made_by(target, LEFTOVERS), "state for a tensor")

    def _binpersid(self, _: None) -> None:
        identifier = self.stack.pop()
        self._require(
            type(identifier) is tuple and len(identifier) in (5, 6),
            "a malformed reference to a storage",
        )
        word, kind, key, _, numel, *view = identifier
        sound = (
            word == "storage"
            and type(kind) is Global
            and kind.name in ITEM_BYTES
            and type(key) is str
            and type(numel) is int
            and numel >= 0
        )
        self._require(sound, "a malformed reference to a storage")
        self._require(view in ([], [None]), "a view of a storage in place of a storage")
        known = self.storages.setdefault(key, Storage(key, kind.name, numel))
        same = (known.kind, known.numel) == (kind.name, numel)
        self._require(same, f"two different storages with the key {key!r}")
        self.stack.append(known)

    def _check_tensor(self, storage: Any, offset: Any, size: Any, stride: Any) -> None:
        """Refuse a shape that its storage does not hold, element by element."""
        name = self.stack[-1] if self.stack and type(self.stack[-1]) is str else "a tensor"
        numbers = (offset, *_tuple(size), *_tuple(stride))
        sound = type(storage) is Storage and all(type(n) is int and n >= 0 for n in numbers)
        self._require(
            sound and len(_tuple(size)) == len(_tuple(stride)),
            f"{name}: sizes that are not those of a tensor",
        )
        count = math.prod(size)
        reach = 1 + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if count and (offset + reach > storage.numel or count > reach):
            raise Malformed(
                f"{printable(name)} has the shape {size} with strides {stride} from element "
                f"{offset} on, which its storage of {storage.numel} elements does not hold"
            )

    def _stop(self, _: None) -> None:
        self.value = self.stack.pop()


def _singleton(opcode: str) -> bool | None:
    return {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[opcode]


def _tuple(value: Any) -> tuple[Any, ...]:
    if type(value) is not tuple:
        raise Malformed("a shape that is not a tuple")
    return value


def _made_by(value: Any, names: tuple[str, ...]) -> bool:
    return type(value) is Made and value.by in names
