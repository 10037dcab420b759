"""Zoo files that nobody would write by mistake: one short error at once, or a sound zoo."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.special_files import device, looping_link, named_pipe
from tests.zoo.test_reader import MINE
from vanbench.errors import UnknownModelError, ZooError
from vanbench.model.architecture import ARCHITECTURES
from vanbench.zoo.reader import load_zoo

HEAD, MODEL = MINE[: MINE.index("[models")], MINE[MINE.index("[models") :]
LARGE = ["1" + "0" * 5, "1" + "0" * 30, "1" * 299]
"""Whole numbers that are too large for each length of a zoo."""

LENGTHS = {
    "embed_dims": ("[8, 16, 24, 32]", "[8, {}, 24, 32]"),
    "depths": ("[1, 1, 1, 1]", "[1, 1, {}, 1]"),
    "mlp_ratios": ("[1, 1, 1, 1]", "[1, 1, 1, 1], mlp_ratios = [8, 8, 4, {}]"),
    "resolution": ("url", "counting = {{ resolution = {} }}\nurl"),
    "num_classes": ("url", "counting = {{ num_classes = {}1 }}\nurl"),
    "center_crop": ("url", "protocol = {{ center_crop = {} }}\nurl"),
    "resize_short_edge": ("url", "protocol = {{ resize_short_edge = {} }}\nurl"),
    "images": ("url", "images = -{}\nurl"),
    "mean": ("url", "protocol = {{ mean = [1, {}, 1] }}\nurl"),
    "std": ("url", "protocol = {{ std = [1, {}, 1] }}\nurl"),
    "schema": ("schema = 1", "schema = {}"),
}


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "mine.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refused(path: Path) -> ZooError:
    """The error for a zoo, which is raised at once, is short, and is safe to print."""
    begin = time.perf_counter()
    with pytest.raises(ZooError) as caught:
        load_zoo(str(path))
    assert time.perf_counter() - begin < 2
    assert str(path) in str(caught.value.where)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) - len(str(path)) < 700
    return caught.value


@pytest.mark.parametrize("number", LARGE, ids=len)
@pytest.mark.parametrize("key", LENGTHS)
def test_lengths_beyond_all_measure(tmp_path, key, number):
    before, after = LENGTHS[key]
    error = refused(write(tmp_path, MINE.replace(before, after.format(number), 1)))
    assert f"key '{key}'" in str(error)


@pytest.mark.parametrize("key", LENGTHS)
def test_numbers_of_thousands_of_digits(tmp_path, key):
    before, after = LENGTHS[key]
    error = refused(write(tmp_path, MINE.replace(before, after.format("1" * 5000), 1)))
    assert "a number or key of more than 300 characters in line" in error.problem


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("architecture", "architecture = { embed_dims = [8, 8, 8, 8], depths = [64, 64, 64, 65] }"),
        ("architecture", f"architecture = {{ embed_dims = {[4096] * 4}, depths = [1, 1, 9, 1] }}"),
        ("architecture", 'architecture = "van_b6"\ncounting = { resolution = 4096 }'),
        ("protocol", 'architecture = "van_b6"\nprotocol = { center_crop = 4096, resize_short_edge = 4096 }'),
        (
            "reported_architecture",
            'architecture = "van_b0"\n[models."my_van.best".erratum]\nreason = "a"\ncorrected = {}\n'
            "reported_architecture = { embed_dims = [4096, 8, 8, 8], depths = [256, 1, 1, 1] }",
        ),
    ],
)  # fmt: skip
def test_a_network_that_is_too_large_as_a_whole(tmp_path, key, line):
    lines = [one for one in MINE.splitlines() if not one.startswith("architecture")]
    error = refused(write(tmp_path, "\n".join([*lines, line])))
    assert f"key '{key}'" in str(error.where)
    assert error.problem.startswith("the network is too large: ")
    assert "docs/zoo.md" in error.remedy


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_published_networks_are_within_the_limits(tmp_path, name):
    text = MINE.replace("{ embed_dims = [8, 16, 24, 32], depths = [1, 1, 1, 1] }", f'"{name}"')
    text += "counting = { resolution = 1024, num_classes = 21841 }\n"
    assert load_zoo(str(write(tmp_path, text))).entries[0].architecture.name == name


@pytest.mark.parametrize("figure", ["1e999999999", "1" * 5000, "50." + "0" * 5000, "٥٠", "inf"])
def test_figures(tmp_path, figure):
    error = refused(write(tmp_path, MINE.replace('"50.0"', f'"{figure}"')))
    assert "key 'top1': expected the figure as printed" in str(error)


@pytest.mark.parametrize("number", ["inf", "-inf", "nan", "1e999", "true", "-1.0", "5e-324", "1"])
@pytest.mark.parametrize("key", ["layer_norm_eps", "mean", "std"])
def test_numbers_that_are_none(tmp_path, key, number):
    of_protocol = f"protocol = {{ {key} = [1, {number}, 1] }}"
    line = f"{key} = {number}" if key == "layer_norm_eps" else of_protocol
    if (key, number) in [("mean", "5e-324"), ("mean", "1"), ("std", "1")]:
        assert load_zoo(str(write(tmp_path, f"{MINE}{line}\n")))
    else:
        assert f"key '{key}'" in str(refused(write(tmp_path, f"{MINE}{line}\n")))


TEXTS = {
    "title": ('"My models"', '"a{}b"'),
    "source": ('"https://example.org/paper"', '"https://a{}b"'),
    "data": ("[models", 'data = "a{}b"\n[models'),
    "citation": ("[models", 'citation = "a{}b"\n[models'),
    "url": ('"files/my-van-0123abcd.pth"', '"files/a{}b"'),
    "mirrors": ("url", 'mirrors = ["a{}b"]\nurl'),
    "classes": ("url", 'protocol = {{ classes = ["a{}b"] }}\nurl'),
    "note": ("url", 'note = "a{}b"\nurl'),
    "pretrain": ("url", 'pretrain = "a{}b"\nurl'),
    "config": ("url", 'config = "https://a{}b"\nurl'),
    "reason": ("url", 'erratum = {{ corrected = {{}}, reason = "a{}b" }}\nurl'),
    "name": ('"mine"', '"a{}b"'),
    "my_van": ("my_van.best", "my_van.a{}b"),
    "key": ("url", '"key{}" = 1\nurl'),
}


@pytest.mark.parametrize(
    "odd", ["\\u0000", "\\u001b[2J", "\\u202E", "\\u2028", "\\U0010ffff", "x" * 10_000]
)
@pytest.mark.parametrize("key", TEXTS)
def test_texts_that_are_invisible_or_too_long(tmp_path, key, odd):
    before, after = TEXTS[key]
    error = refused(write(tmp_path, MINE.replace(before, after.format(odd), 1)))
    assert f"key '{key}" in str(error)


def test_a_text_of_megabytes(tmp_path):
    error = refused(write(tmp_path, MINE.replace("My models", "x" * 900_000)))
    assert error.problem.endswith("visible characters, found str of 900,000 characters")


def test_a_secret_is_not_cut_in_two(tmp_path):
    url = f"https://user:{'SECRET' * 20}@[host/x.pth"
    assert "SECRET" not in str(
        refused(write(tmp_path, MINE.replace("files/my-van-0123abcd.pth", url)))
    )
    mirrors = MINE + f'mirrors = ["{url}", 1]\n'
    assert "SECRET" not in str(refused(write(tmp_path, mirrors)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MINE + "note = " + "[" * 1000 + "]" * 1000, "nested more than 32 deep in line"),
        (MINE + "note = " + "{a=" * 1000, "nested more than 32 deep in line"),
        (MINE + "[a" + ".a" * 10**5 + "]", "nested more than 32 deep in line"),
        (MINE + "[[" + "a." * 20 + "a]]", "key 'a': expected only the keys"),
        (MINE + "".join(f"k{i} = 1\n" for i in range(60_000)), "key 'k0': expected only the keys"),
        (MINE + '"" = 1', "key '': expected only the keys"),
        (MINE + "mirrors = [" + '"a", ' * 21 + "]", "key 'mirrors': expected a list of at most 20 URLs"),
        (MINE + "protocol = { classes = " + str([f"{i:x}" for i in range(100_001)]) + " }", "key 'classes': expected"),
        (HEAD + "".join(MODEL.replace("my_van", f"van{i}") for i in range(1001)), "key 'models': expected at most 1,000 models, found int 1001"),
        (HEAD + 'models = { "a.b" = 1 }', "key 'a.b': expected a table, found int 1"),
        (HEAD + "[[models]]", "key 'models': expected a table, found list"),
        (HEAD + MODEL.replace("my_van.best", ""), "expected a model name"),
        (MINE.replace('"My models"', "2024-01-01"), "key 'title': expected text, found date"),
        (MINE.encode() + b"\xff", "expected UTF-8 text, found the byte 0xff in line"),
        (MINE.encode("utf-16"), "expected UTF-8 text, found UTF-16"),
        (MINE + "\0", "not a readable TOML file"),
        ("", "key 'schema': expected 1, found nothing"),
        ("#" * 3_000_000, "expected at most 1,000,000 bytes, found 3,000,000"),
        (MINE + MODEL.replace("my_van", "ｍｙ-van"), "a name that differs from 'my_van.best' in more than case"),
    ],
    ids=range(19),
)  # fmt: skip
def test_odd_documents(tmp_path, text, message):
    assert message in str(refused(write(tmp_path, text)))


def test_a_byte_order_mark_and_a_thousand_models(tmp_path):
    models = (MODEL.replace("my_van", f"van{i}") for i in range(1000))
    zoo = load_zoo(str(write(tmp_path, "\ufeff" + HEAD + "".join(models))))
    assert len(zoo.entries) == 1000
    with pytest.raises(UnknownModelError) as caught:
        zoo.find("\x1b" + "?" * 10**6)
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


def test_what_is_no_file(tmp_path):
    named_pipe(tmp_path / "pipe.toml")
    device(tmp_path / "zero.toml")
    looping_link(tmp_path / "loop.toml")
    found = {
        name: refused(tmp_path / name).problem for name in ("pipe.toml", "zero.toml", "loop.toml")
    }
    assert found == {
        "pipe.toml": "expected a file, found a named pipe (FIFO)",
        "zero.toml": "expected a file, found a character device",
        "loop.toml": "cannot be read: a loop of symbolic links",
    }
    assert refused(tmp_path).problem == "expected a file, found a folder"


@pytest.mark.parametrize("name", ["a\0b", "x" * 10_000, "\udcff", "/".join(["x" * 200] * 100)])
def test_names_that_no_zoo_has(name):
    with pytest.raises(ZooError) as caught:
        load_zoo(name)
    assert caught.value.exit_code == 2


def test_a_checkpoint_behind_a_loop_of_links(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    error = refused(write(tmp_path, MINE.replace("files/my-van", "loop/my-van")))
    assert "key 'url': expected a URL that ends in a file name" in str(error)


@pytest.mark.parametrize("command", ["list", "table", "flops --all", "verify --all"])
def test_commands_refuse_such_a_zoo_with_one_message(tmp_path, command):
    write(tmp_path, MINE.replace("[8, 16, 24, 32]", "[8, 16, 24, 100000000000]"))
    done = subprocess.run(
        [sys.executable, "-m", "vanbench", *command.split(), "--zoo", "mine.toml"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") <= 5
    assert "key 'embed_dims': expected a list of 4 whole numbers" in " ".join(done.stderr.split())
