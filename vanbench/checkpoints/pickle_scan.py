"""What a checkpoint's pickle holds, read without doing what it asks for.

A pickle is a program for a stack machine. Here it is walked with inert stand-ins: nothing is
imported, called or allocated, whatever the file says. Only what ``torch.save`` writes for tensors,
and a few leftovers of the training frameworks, passes. No other program reads the pickle: the
tensors are made from what the walk gives (``StoredTensor``), so what was checked is what is used.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any

from vanbench.checkpoints.pickle_steps import instructions
from vanbench.checkpoints.stored import ITEM_BYTES, Malformed, Storage, StoredTensor
from vanbench.errors import CheckpointError
from vanbench.outside.safe_text import for_terminal, shorten

MOST_PAIRS = 1_000_000  # that all OrderedDicts are made of
MOST_NUMBER_KEYS = 10_000  # in all dicts: many such keys can be chosen to collide
_MOST_NAMES = 1000  # of classes and functions that are kept for the message

HISTORY_BUFFER = "mmengine.logging.history_buffer.HistoryBuffer"

# Objects that training frameworks keep beside the tensors. Stand-ins take their places, so the
# packages need not be installed.
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
# allowed, and is never made.
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
)  # fmt: skip
_SINGLETONS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True, eq=False, slots=True)
class Global:
    """Stands for a class or function that the pickle names."""

    name: str


@dataclass(frozen=True, eq=False, slots=True)
class Made:
    """Stands for what a call would have given, if that is not a tensor or a dict."""

    by: str


@dataclass
class Content:
    """The value that a pickle stands for, and the storages that it declares."""

    value: Any = None
    storages: dict[str, Storage] = field(default_factory=dict)


def scan(stream: IO[bytes]) -> Content:
    """Walk the pickle at the position of ``stream``, which is left behind its end.

    Raises CheckpointError naming every class and function that is not allowed, and Malformed for
    anything else that ``torch.save`` would not have written.
    """
    names: set[str] = set()
    steps = _noting(instructions(stream), names)
    problem: Exception | None = None
    machine = _Machine()
    try:
        for opcode, argument in steps:
            machine.step(opcode, argument)
    except (Malformed, ValueError, IndexError, AttributeError, TypeError) as error:
        problem = error
        with suppress(Malformed, ValueError):  # the rest is only read for the names in it
            deque(steps, maxlen=0)
    refused = sorted(for_terminal(name, most=100) for name in names | machine.refused)
    if refused:
        shown = ", ".join(refused[:20]) + (", …" if len(refused) > 20 else "")
        raise CheckpointError(
            f"refused, because it asks for more than tensors: {shown}. Nothing of it was run",
            cause="refused, because it asks for more than tensors",
            remedy="If you trust its source, save only its state_dict with torch.save there.",
        )
    if problem:
        raise problem if isinstance(problem, Malformed) else Malformed(shorten(str(problem), 200))
    return Content(machine.value, machine.storages)


def _noting(steps: Iterator[tuple[str, Any]], names: set[str]) -> Iterator[tuple[str, Any]]:
    """The same steps; the classes and functions that are named and not allowed go to ``names``."""
    texts: deque[str] = deque(maxlen=2)
    for step in steps:
        opcode, argument = step
        if opcode in ("GLOBAL", "INST", "STACK_GLOBAL"):
            name = ".".join(texts) if argument is None else argument
            if name not in ALLOWED and len(names) < _MOST_NAMES:
                names.add(name)
        elif type(argument) is str:
            texts.append(argument if len(argument) <= 1000 else "…")
        yield step


class _Machine:
    """The stack machine of the pickle format, with stand-ins for all that it would make.

    Each step takes bounded time and memory, whatever the values are: no value is compared, printed
    or counted in depth, because a few steps make one that is nested a million times.
    """

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks under each mark
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}
        self.refused: set[str] = set()  # calls of an allowed function with other arguments
        self.pairs = self.number_keys = 0
        self.value: Any = None

    def step(self, opcode: str, argument: Any) -> None:
        """One instruction."""
        handler = _HANDLERS.get(opcode)
        if handler is not None:
            handler(self, argument)
        elif opcode in _EMPTY:
            self.stack.append(_EMPTY[opcode]())
        elif opcode in _SINGLETONS:
            self.stack.append(_SINGLETONS[opcode])
        elif opcode in _TUPLES:
            count = _TUPLES[opcode]
            self._require(len(self.stack) >= count, "pickle stack underflow")
            self.stack[-count:] = [tuple(self.stack[-count:])]
        elif opcode != "PROTO":
            raise Malformed(f"the pickle instruction {opcode}, which weights do not need")

    @staticmethod
    def _require(fact: bool, otherwise: str) -> None:
        if not fact:
            raise Malformed(otherwise)

    def _constant(self, argument: Any) -> None:
        self.stack.append(argument)

    def _put(self, argument: int) -> None:
        self.memo[argument] = self.stack[-1]

    def _get(self, argument: int) -> None:
        self._require(argument in self.memo, "a reference to an unknown memo entry")
        self.stack.append(self.memo[argument])

    def _global(self, argument: str) -> None:
        self.stack.append(Global(argument))

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
        self._update(self.stack[-1], [key, value])

    def _setitems(self, _: None) -> None:
        items = self._since_mark()
        self._update(self.stack[-1], items)

    def _update(self, target: Any, items: list[Any]) -> None:
        self._require(
            type(target) is dict and len(items) % 2 == 0, "keys and values that are not in pairs"
        )
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) is not str:
                self._check_key(key)
            target[key] = value

    def _check_key(self, key: Any) -> None:
        """Hashing a nested tuple, or looking up numbers with equal hashes, can take for ever."""
        self.number_keys += 1
        self._require(
            key is None or type(key) in (int, float, bool),
            "a dict key that is neither text nor a number",
        )
        self._require(
            self.number_keys <= MOST_NUMBER_KEYS, f"more than {MOST_NUMBER_KEYS:,} keys not of text"
        )

    def _newobj(self, argument: None) -> None:
        self._reduce(argument, only=LEFTOVERS)

    def _reduce(self, _: None, only: tuple[str, ...] | None = None) -> None:
        args, function = self.stack.pop(), self.stack.pop()
        self._require(
            type(args) is tuple and type(function) is Global,
            "a call of something that is not a function",
        )
        self._require(only is None or function.name in only, "an object of another class")
        self.stack.append(self._call(function.name, args))

    def _call(self, name: str, args: tuple[Any, ...]) -> Any:
        if name in _TENSORS:
            return self._tensor(name, args)
        if name == _PARAMETER:
            return self._parameter(args)
        if name == _ORDERED_DICT:
            return self._ordered_dict(args)
        if name == GETATTR:
            self._check_attribute(args)
        elif name == _COUNTER:
            self._require(
                len(args) == 1 and type(args[0]) is dict, "a Counter that is not of a dict"
            )
        elif name == "_codecs.encode":
            self._require(
                len(args) == 2 and type(args[1]) is str and args[1] == "latin1",
                "an encoding other than latin1",
            )
        elif name not in LEFTOVERS and name not in _PLAIN_CALLS:
            raise Malformed(f"a call of {for_terminal(name, most=100)}")
        return Made(name)

    def _check_attribute(self, args: tuple[Any, ...]) -> None:
        """Refuse every getattr but that of a HistoryBuffer's own statistics."""
        owner, name = args if len(args) == 2 else (None, None)
        known = type(owner) is Global and owner.name == HISTORY_BUFFER
        if not (known and type(name) is str and name in _HISTORY_STATISTICS):
            self.refused.add(GETATTR)
            raise Malformed(f"a call of {GETATTR} for something other than a HistoryBuffer")

    def _ordered_dict(self, args: tuple[Any, ...]) -> dict[Any, Any]:
        """Python 2 gave the items as a list of pairs; Python 3 sets them afterwards."""
        made: dict[Any, Any] = {}
        if not args:
            return made
        pairs = args[0]
        self._require(len(args) == 1 and type(pairs) is list, "an OrderedDict of no list of pairs")
        self.pairs += len(pairs)  # one list can be given again and again
        self._require(self.pairs <= MOST_PAIRS, "OrderedDicts of too many pairs")
        for pair in pairs:
            self._require(
                type(pair) in (list, tuple) and len(pair) == 2, "an OrderedDict of no pairs"
            )
            self._update(made, list(pair))
        return made

    def _build(self, _: None) -> None:
        """State of an object, which is not kept: a state dict's ``_metadata``, or a leftover's."""
        state, target = self.stack.pop(), self.stack[-1]
        attributes = type(target) is dict and type(state) is dict
        leftover = type(target) is Made and target.by in LEFTOVERS
        self._require(attributes or leftover, "state for something that has none")

    def _binpersid(self, _: None) -> None:
        identifier = self.stack.pop()
        self._require(
            type(identifier) is tuple and len(identifier) in (5, 6),
            "a malformed reference to a storage",
        )
        word, kind, key, _, numel, *view = identifier
        sound = (
            type(word) is str
            and word == "storage"
            and type(kind) is Global
            and kind.name in ITEM_BYTES
            and type(key) is str
            and type(numel) is int
            and numel >= 0
        )
        self._require(sound, "a malformed reference to a storage")
        self._require(not view or view[0] is None, "a view of a storage in place of a storage")
        known = self.storages.setdefault(key, Storage(key, kind.name, numel))
        same = (known.kind, known.numel) == (kind.name, numel)
        self._require(same, f"two different storages with the key {shorten(key)}")
        self.stack.append(known)

    def _tensor(self, by: str, args: tuple[Any, ...]) -> StoredTensor:
        """A tensor; what may follow its geometry is whether it is trained, hooks, and more bits."""
        more = args[4:] if by.endswith("_v2") else (None, None, *args[4:])
        self._require(
            len(args) >= 4
            and len(more) in (2, 3)
            and type(args[0]) is Storage
            and type(args[2]) is tuple
            and type(args[3]) is tuple
            and (len(more) == 2 or more[2] is None or (type(more[2]) is dict and not more[2])),
            "a tensor that is not described as torch.save does it",
        )
        name = self.stack[-1] if self.stack and type(self.stack[-1]) is str else "a tensor"
        tensor = StoredTensor(*args[:4])
        tensor.check(name)
        return tensor

    def _parameter(self, args: tuple[Any, ...]) -> StoredTensor:
        sound = len(args) == 3 and type(args[0]) is StoredTensor
        self._require(sound, "a parameter that is not a tensor")
        tensor: StoredTensor = args[0]
        return tensor

    def _stop(self, _: None) -> None:
        self.value = self.stack.pop()


_HANDLERS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(_CONSTANTS, _Machine._constant),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _Machine._put),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine._get),
    "APPEND": _Machine._append,
    "APPENDS": _Machine._appends,
    "BINPERSID": _Machine._binpersid,
    "BUILD": _Machine._build,
    "GLOBAL": _Machine._global,
    "MARK": _Machine._mark,
    "NEWOBJ": _Machine._newobj,
    "REDUCE": _Machine._reduce,
    "SETITEM": _Machine._setitem,
    "SETITEMS": _Machine._setitems,
    "STOP": _Machine._stop,
    "TUPLE": _Machine._tuple,
}
