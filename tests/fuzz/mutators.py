"""Changes to valid files, chosen by a random generator: the same seed gives the same bytes."""

import csv
import gzip
import io
import json
import random
import re
import struct
import zipfile
from collections.abc import Callable

Mutator = Callable[[bytes, random.Random], bytes]

ODD_TEXTS = (
    b"", b"\0", b"\x1b[31m\x07", b"\xff\xfe", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"9" * 5000, b"-1",
    b"1e999999999", b"1e308", b"NaN", b"Infinity", b"18446744073709551616", b"9223372036854775807",
    b"-9223372036854775808", b"0x10", b"[" * 100_000, b'{"a":' * 50_000, b"a." * 5000, b"'\"",
    b'"', b'"""', b"\r\n\r\n", b"\n" * 5000, b",,,,,,", b"../../etc/passwd", b"/dev/zero",
    b"x" * 200_000, "‮é\u2028".encode(), b"<img src=x>", b"\\ud800", b"null", b"true", b"{}",
    b"[]", b"<!-- vanbench:results:end -->",
)  # fmt: skip
ODD_VALUES = (
    None, True, -1, 0, 1, 10**5, 10**18, 2**63, 2**64, 10**290, -(10**30), 0.5, -0.0, 1e308,
    float("nan"), float("inf"), "", "\0", "\x1b[2J", "x" * 100_000, "\ud800", "../../x", "9" * 400,
    "1e999999999", "nan", [], {}, [[]], [None] * 1000, [1] * 100_000, {"": {}}, [10**18] * 4,
)  # fmt: skip
_SPECIAL_SIZES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_TOML_VALUES = (
    b"1e999999999", b'"1e999999999"', b"nan", b"inf", b"-1", b"0", b"100000", b"9" * 30, b'""',
    b"9" * 5000, b"[" * 1000 + b"]" * 1000, b"{ a = 1 }", b"[]", b"true", b'"\\u0000"', b"1.5",
    b"1979-05-27", b'"\\u001b[31m"', b'["a", 1, {}]', b"[100000, 100000, 100000, 100000]",
    b"[1000000000000, 1, 1, 1]", b'"' + b"x" * 100_000 + b'"', b"0xffffffffffffffffffffff",
)  # fmt: skip


def any_bytes(data: bytes, chance: random.Random) -> bytes:
    """One to three changes that know nothing of the format."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        data = chance.choice(_GENERAL)(data, chance)
    return data


def _span(data: bytes, chance: random.Random, most: int = 1 << 30) -> tuple[int, int]:
    start = chance.randrange(len(data) + 1)
    length = min(int(2 ** chance.uniform(0, 14)), most)
    return start, min(len(data), start + length)


def flip_bits(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8)) if data else 0):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def overwrite(data: bytes, chance: random.Random) -> bytes:
    start, end = _span(data, chance)
    run = chance.choice((b"\0", b"\xff", b" ", b"9", chance.randbytes(1)))
    fill = chance.randbytes(end - start) if chance.random() < 0.3 else run * (end - start)
    return data[:start] + fill + data[end:]


def overwrite_size(data: bytes, chance: random.Random) -> bytes:
    """A number of two, four or eight bytes at any place becomes an extreme one."""
    code, width = chance.choice((("H", 2), ("I", 4), ("Q", 8)))
    value = chance.choice(_SPECIAL_SIZES) & (256**width - 1)
    if code == "Q" and chance.random() < 0.5:
        value = chance.choice((2**63 - 1, 2**64 - 1, 1 << 40, 1 << 33))
    packed = struct.pack(chance.choice("<>") + code, value)
    start = chance.randrange(len(data) + 1)
    return data[:start] + packed + data[start + width :]


def cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def remove(data: bytes, chance: random.Random) -> bytes:
    start, end = _span(data, chance)
    return data[:start] + data[end:]


def duplicate(data: bytes, chance: random.Random) -> bytes:
    start, end = _span(data, chance)
    times = chance.choice((1, 1, 2, 50))
    return data[:end] + data[start:end] * times + data[end:]


def exchange(data: bytes, chance: random.Random) -> bytes:
    a, b, c = sorted(chance.randrange(len(data) + 1) for _ in range(3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def insert(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    return data[:start] + chance.choice(ODD_TEXTS) + data[start:]


def append(data: bytes, chance: random.Random) -> bytes:
    return data + chance.choice((*ODD_TEXTS, data, chance.randbytes(1000), b"\0" * 100_000))


def replace_all(data: bytes, chance: random.Random) -> bytes:
    return chance.choice((b"", b"\0" * 4096, chance.randbytes(2000), *ODD_TEXTS))


_GENERAL = (flip_bits, flip_bits, overwrite, overwrite, overwrite_size, overwrite_size, cut, remove,
            duplicate, exchange, insert, append)  # fmt: skip


def json_value(data: bytes, chance: random.Random) -> bytes:
    """Some values of a JSON text become odd ones, or go, or are there twice."""
    document = json.loads(data)
    for _ in range(chance.choice((1, 1, 2))):
        document = _change(document, chance)
    text = json.dumps(document)
    if chance.random() < 0.15:
        deep = chance.choice((70, 1000, 100_000))
        value = chance.choice(("[" * deep + "]" * deep, '{"a":' * deep + "1" + "}" * deep))
        text = re.sub(r"\b\d+\b", lambda match: value, text, count=1)
    if chance.random() < 0.1:
        text = re.sub(r"\b\d+\b", "9" * chance.choice((200, 400, 5000)), text, count=1)
    if chance.random() < 0.1 and text.startswith("{"):
        text = text[:-1] + ", " + text[1:]  # every key twice
    return text.encode()


def _change(value: object, chance: random.Random) -> object:
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice(sorted(value))
        action = chance.random()
        changed = dict(value)
        if action < 0.1:
            del changed[key]
        elif action < 0.2:
            changed[chance.choice(("", "x", "\x1b[31m", "schema", key * 2))] = changed.pop(key)
        else:
            changed[key] = _change(value[key], chance)
        return changed
    if isinstance(value, list) and value and chance.random() < 0.8:
        place = chance.randrange(len(value))
        return [*value[:place], _change(value[place], chance), *value[place + 1 :]]
    if isinstance(value, (int, float)) and chance.random() < 0.3:
        return chance.choice((value + 1, -value, value * 10**6, str(value), [value]))
    return chance.choice(ODD_VALUES)


def toml_value(data: bytes, chance: random.Random) -> bytes:
    """The value of a line becomes another one; or a line is removed, moved or doubled."""
    lines = data.split(b"\n")
    for _ in range(chance.choice((1, 1, 2, 3))):
        place = chance.randrange(len(lines))
        action = chance.random()
        if action < 0.15:
            del lines[place]
        elif action < 0.3:
            lines.insert(chance.randrange(len(lines)), lines[place])
        elif b"=" in lines[place]:
            keys = list(re.finditer(rb"(=\s*)([^,=}]+)", lines[place]))
            if keys:
                match = chance.choice(keys)
                start, end = match.span(2)
                value = chance.choice(_TOML_VALUES)
                lines[place] = lines[place][:start] + value + lines[place][end:]
        lines = lines or [b""]
    return b"\n".join(lines)


def csv_cell(data: bytes, chance: random.Random) -> bytes:
    """A cell becomes another one, or a row is doubled, or loses a cell."""
    rows = list(csv.reader(io.StringIO(data.decode(), newline="")))
    for _ in range(chance.choice((1, 1, 2))):
        row = chance.choice(rows)
        if not row:
            continue
        action = chance.random()
        if action < 0.1:
            rows.append(row)
        elif action < 0.2:
            row.pop()
        else:
            odd = chance.choice((*ODD_TEXTS, b"1", b"0", b"nan", b"inf", b"1_0", b" 1 "))
            row[chance.randrange(len(row))] = odd.decode("utf-8", "replace")
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    return file.getvalue().encode()


def list_line(data: bytes, chance: random.Random) -> bytes:
    """A word of a line becomes another one; or a line is doubled or removed."""
    lines = data.split(b"\n")
    for _ in range(chance.choice((1, 1, 5))):
        place = chance.randrange(len(lines))
        words = lines[place].split(b" ")
        words[chance.randrange(len(words))] = chance.choice((*ODD_TEXTS, b"0", b"999", b"1000"))
        lines[place] = b" ".join(words)
        if chance.random() < 0.2:
            lines.insert(chance.randrange(len(lines)), chance.choice(lines))
    return b"\n".join(lines)


def within_gzip(inner: Mutator) -> Mutator:
    """A change to what is compressed."""

    def change(data: bytes, chance: random.Random) -> bytes:
        if chance.random() < 0.05:  # 300 MB of zeros in 300 KB
            head = gzip.decompress(data)
            return data + b"".join([gzip.compress(b"\0" * 10_000_000, 9)] * 30) + head[:0]
        return gzip.compress(inner(gzip.decompress(data), chance), 1, mtime=0)

    return change


def within_zip(data: bytes, chance: random.Random) -> bytes:
    """A change to an entry or its name, with the right checksums."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    name = chance.choice(sorted(entries))
    if chance.random() < 0.6:
        name = next(n for n in entries if n.endswith("data.pkl"))
    entries[name] = any_bytes(entries[name], chance)
    if chance.random() < 0.1:
        odd = chance.choice(
            ("../x", "a/../data.pkl", "é/data.pkl", "archive/code/x.py", "A" * 9999)
        )
        entries[odd] = entries.pop(name)
    output = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if chance.random() < 0.1 else zipfile.ZIP_STORED
    with zipfile.ZipFile(output, "w", kind) as archive:
        for entry, content in entries.items():
            archive.writestr(entry, content)
    return output.getvalue()


def safetensors_header(data: bytes, chance: random.Random) -> bytes:
    """A change to the JSON header, with its right length."""
    length = int.from_bytes(data[:8], "little")
    header = json_value(data[8 : 8 + length], chance)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def tar_header(data: bytes, chance: random.Random) -> bytes:
    """A field of a member's header becomes another one, with the right checksum."""
    changed = bytearray(data)
    places = [at for at in range(0, len(data) - 511, 512) if data[at + 257 : at + 262] == b"ustar"]
    if not places:
        return any_bytes(data, chance)
    for _ in range(chance.choice((1, 1, 3))):
        at = chance.choice(places)
        field, width = chance.choice(
            ((0, 100), (124, 12), (124, 12), (156, 1), (157, 100), (345, 155))
        )
        value = chance.choice((
            b"77777777777\0", b"\x80" + b"\0" * 7 + b"\xff" * 4, b"\xff" * 12, b"-0000000001\0",
            b"00000000000\0", b"L", b"x", b"g", b"S", b"1", b"2", b"3", b"5", b"6", b"K", b"V",
            b"../../x", b"/etc/passwd", b"\xff\xfe", b"\0", b"n01440764/\x1b[31m.JPEG", b"a" * 155,
        ))  # fmt: skip
        if field == 156:
            value = value[:1]
        changed[at + field : at + field + width] = value[:width].ljust(width, b"\0")
        changed[at + 148 : at + 156] = b" " * 8
        total = sum(changed[at : at + 512])
        changed[at + 148 : at + 156] = b"%06o\0 " % total
    return bytes(changed)
