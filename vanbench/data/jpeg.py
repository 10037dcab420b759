"""Whether the compressed data of a JPEG are all there.

libjpeg fills what is missing with grey and gives a warning, which Pillow does not pass on. So the
data of images that look like it are read once more, without computing pixels. This is exact for
baseline JPEGs; of progressive ones, only whether all scans are there is known.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from PIL import Image

HOLE = bytes(512)  # a lost sector of a disk; in a sound image hardly ever
CORNER = 4  # pixels
MOST_DATA = 1 << 23  # bytes of a scan that are read: reading takes a second for one or two MiB
SPARE = 16  # unread bytes at the end that mean nothing

_GREY = (b"\x80", b"\x7f")  # what missing data become, also in an inverted CMYK file
_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]", re.DOTALL)
_RESTART = re.compile(rb"\xff+[\xd0-\xd7]")
_SOF_BASELINE, _SOF_PROGRESSIVE = (0xC0, 0xC1), 0xC2
_DHT, _SOS, _DRI, _EOI = 0xC4, 0xDA, 0xDD, 0xD9

Table = list[int]  # by the next 16 bits: 256 times the length of the code, plus its symbol; or 0


def missing_data(encoded: bytes, image: Image.Image) -> str:
    """What is missing in the data of a decoded JPEG; empty if nothing is known to be."""
    hole = HOLE in encoded
    if not (hole or image.info.get("progressive") or _ends_in_grey(image)):
        return ""
    try:
        return _Frame().read(encoded, hole)
    except (IndexError, KeyError, ValueError, struct.error):
        return ""  # a kind of JPEG that is not known here


def _ends_in_grey(image: Image.Image) -> bool:
    """Whether the last pixels have the value that missing data become."""
    width, height = image.size
    corner = image.crop((max(0, width - CORNER), max(0, height - CORNER), width, height))
    values = corner.tobytes()
    return any(values.startswith(grey) and not values.strip(grey) for grey in _GREY)


@dataclass(frozen=True)
class _Component:
    """How many blocks a colour component has in each direction of an MCU."""

    across: int
    down: int


@dataclass
class _Frame:
    """What the segments of a JPEG say, up to the one that is being read."""

    progressive: bool = False
    size: tuple[int, int] = (0, 0)
    components: dict[int, _Component] = field(default_factory=dict)
    tables: dict[int, Table] = field(default_factory=dict)
    restart: int = 0
    lowest_bit: dict[tuple[int, int], int] = field(
        default_factory=dict
    )  # by component, coefficient

    def read(self, encoded: bytes, hole: bool) -> str:
        """What is missing in the first image of the file; empty if nothing is."""
        for marker, content, data in _segments(encoded):
            if marker in _SOF_BASELINE or marker == _SOF_PROGRESSIVE:
                self._start(content, marker == _SOF_PROGRESSIVE)
            elif marker == _DHT:
                self.tables |= _tables(content)
            elif marker == _DRI:
                (self.restart,) = struct.unpack(">H", content)
            elif marker == _SOS and self.progressive:
                self._note_scan(content)
            elif marker == _SOS and (missing := self._read_scan(content, data, hole)):
                return missing
        finished = (self.lowest_bit.get((c, k)) == 0 for c in self.components for k in range(64))
        return "" if not self.progressive or all(finished) else "the last scans are missing"

    def _start(self, content: bytes, progressive: bool) -> None:
        bits, height, width, count = struct.unpack(">BHHB", content[:6])
        if bits != 8 or not height or not width:
            raise ValueError("not a size that is known here")
        self.progressive, self.size = progressive, (width, height)
        for at in range(6, 6 + 3 * count, 3):
            sampling = content[at + 1]
            self.components[content[at]] = _Component(sampling >> 4, sampling & 15)

    def _note_scan(self, content: bytes) -> None:
        """Note which coefficients a progressive scan has, and down to which bit."""
        ids = content[1 : 1 + 2 * content[0] : 2]
        first, last, bits = content[-3:]
        for component in ids:
            for coefficient in range(first, last + 1):
                self.lowest_bit[component, coefficient] = bits & 15

    def _read_scan(self, content: bytes, data: bytes, hole: bool) -> str:
        """What is missing in the data of a baseline scan."""
        if len(data) > MOST_DATA:
            return ""
        pairs = [(content[at], content[at + 1]) for at in range(1, 1 + 2 * content[0], 2)]
        blocks = [
            (self.tables[tables >> 4], self.tables[16 | tables & 15])
            for component, tables in pairs
            for _ in range(self._blocks_of(component, alone=len(pairs) == 1))
        ]
        units = self._units([component for component, _ in pairs])
        intervals = _RESTART.split(data)
        step = self.restart or units
        for number, interval in enumerate(intervals):
            wanted = min(step, units - number * step)
            done, unread = _read_units(interval.replace(b"\xff\x00", b"\xff"), blocks, wanted)
            if done < wanted:
                return f"the data end after {number * step + done:,} of {units:,} blocks"
            if hole and unread > SPARE:
                return f"{unread:,} bytes of the data belong to no block"
        done = len(intervals) * step
        return "" if done >= units else f"the data end after {done:,} of {units:,} blocks"

    def _blocks_of(self, component: int, alone: bool) -> int:
        found = self.components[component]
        return 1 if alone else found.across * found.down

    def _units(self, scan: Sequence[int]) -> int:
        """How many MCUs a scan of these components has."""
        across = max(c.across for c in self.components.values())
        down = max(c.down for c in self.components.values())
        width, height = self.size
        if len(scan) > 1:
            return -(-width // (8 * across)) * -(-height // (8 * down))
        one = self.components[scan[0]]
        return -(-width * one.across // (8 * across)) * -(-height * one.down // (8 * down))


def _segments(encoded: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """(marker, content, compressed data that follow) of each segment up to the end of the image."""
    at = 2
    while True:
        while encoded[at + 1] == 0xFF:  # a marker may be filled up
            at += 1
        marker = encoded[at + 1]
        if encoded[at] != 0xFF or marker == _EOI:
            return
        length = int.from_bytes(encoded[at + 2 : at + 4], "big")
        end = at + 2 + length
        content = encoded[at + 4 : end]
        at = end
        if marker == _SOS:
            following = _MARKER.search(encoded, end)
            at = following.start() if following else len(encoded)
        yield marker, content, encoded[end:at]


def _tables(content: bytes) -> dict[int, Table]:
    """The Huffman tables of a segment by their class and number."""
    found = {}
    at = 0
    while at < len(content):
        counts = content[at + 1 : at + 17]
        symbols = iter(content[at + 17 : at + 17 + sum(counts)])
        table: Table = []
        for length, count in enumerate(counts, 1):
            for _ in range(count):
                table += [length << 8 | next(symbols, 0)] * (1 << 16 - length)
        if len(table) > 1 << 16:
            raise ValueError("too many codes")
        found[content[at]] = table + [0] * ((1 << 16) - len(table))
        at += 17 + sum(counts)
    return found


def _read_units(data: bytes, blocks: Sequence[tuple[Table, Table]], wanted: int) -> tuple[int, int]:
    """How many of the wanted MCUs the data hold, and how many bytes are left.

    ``blocks`` has the tables for the first and for the other coefficients of each block of an MCU.
    """
    words = struct.unpack(f">{len(data) // 4 + 64}I", data + bytes(256 - len(data) % 4))
    end = 8 * len(data)
    bits = left = at = 0
    for done in range(wanted):
        for first, others in blocks:
            coefficient, table = 0, first
            while coefficient < 64:
                if left < 32:
                    if 32 * at >= end + 64:
                        return done, 0
                    bits = (bits & ((1 << left) - 1)) << 32 | words[at]
                    at, left = at + 1, left + 32
                code = table[bits >> left - 16 & 0xFFFF]
                if not code:
                    return done, 0
                left -= (code >> 8) + (code & 15)
                if table is first and not coefficient:
                    coefficient, table = 1, others
                elif code & 15:
                    coefficient += (code >> 4 & 15) + 1
                elif code & 0xF0 == 0xF0:
                    coefficient += 16
                else:
                    break
            if coefficient > 64:
                return done, 0
        if 32 * at - left > end:
            return done, 0
    return wanted, (end - 32 * at + left) // 8
