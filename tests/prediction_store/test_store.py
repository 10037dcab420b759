"""Stored predictions survive kills, belong to exactly one run, and come back as they were."""

import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vanbench.errors import RecordError
from vanbench.prediction_store.prediction import Prediction, Tally
from vanbench.prediction_store.rows import stored_rows, stored_tally
from vanbench.prediction_store.schema import Member, checksum
from vanbench.prediction_store.store import FILE, RunKey, Store

KEY = RunKey("c0ffee" * 8, {"crop": 224}, {"precision": "fp32"})
DAY = "2026-01-01"


def fill(store, run, count, *, start=0):
    """Predictions for images start … start + count − 1, and their image ids."""
    content = {i: f"{i:064x}" for i in range(start, start + count)}
    images = store.image_ids(content)
    store.add((run, images[i], Prediction((i % 1000, 1000), (float(i), -1.0))) for i in content)
    return images


def predicted(store, run):
    """The image ids that a run has predictions for."""
    return set(store.read(run))


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "results" / FILE) as opened:
        yield opened


float32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
choices = st.lists(st.integers(0, 65535), min_size=1, max_size=5, unique=True)


@given(choices, st.data())
def test_predictions_come_back_as_they_were(top, data):
    same_length = st.lists(float32, min_size=len(top), max_size=len(top))
    top, logits = tuple(top), tuple(sorted(data.draw(same_length), reverse=True))
    with Store() as store:
        run = store.run("m", KEY, DAY)
        image = store.image_ids({0: "ab" * 32})[0]
        store.add([(run, image, Prediction(top, logits))])
        (found,) = store.read(run).values()
    assert found.top == top
    assert [struct.pack("<f", x) for x in found.logits] == [struct.pack("<f", x) for x in logits]


def test_a_run_is_its_key_not_its_name(store):
    first = store.run("van_b0", KEY, DAY)
    assert store.run("VAN-B0", RunKey(**KEY.__dict__), "2026-02-02") == first
    others = [
        RunKey("decaf" * 10, KEY.protocol, KEY.numerics),
        RunKey(KEY.checkpoint, {"crop": 192}, KEY.numerics),
        RunKey(KEY.checkpoint, KEY.protocol, {"precision": "bf16"}),
    ]
    assert len({first, *(store.run("van_b0", key, DAY) for key in others)}) == 4


def test_what_is_there_is_known_after_reopening(tmp_path):
    path = tmp_path / FILE
    with Store(path) as store:
        run = store.run("m", KEY, DAY)
        images = fill(store, run, 10)
    with Store(path) as store:
        assert store.run("m", KEY, DAY) == run
        assert predicted(store, run) == set(images.values())
        assert store.image_ids({7: f"{7:064x}"}) == {7: images[7]}
        (listed,) = store.runs()
        assert (listed.model, listed.images, listed.key) == ("m", 10, KEY)


def test_equal_content_is_one_image(store):
    images = store.image_ids({0: "aa" * 32, 1: "bb" * 32, 2: "aa" * 32})
    assert images[0] == images[2] != images[1]


def test_a_batch_that_fails_leaves_nothing(store):
    run = store.run("m", KEY, DAY)
    images = store.image_ids({0: "aa" * 32})
    rows = [(run, images[0], Prediction((top,), (0.0,))) for top in (1, 70_000)]
    with pytest.raises(OverflowError):
        store.add(rows)
    assert predicted(store, run) == set()


def test_the_first_of_two_equal_predictions_stays(store):
    run = store.run("m", KEY, DAY)
    image = store.image_ids({0: "aa" * 32})[0]
    for top in ((1,), (2,)):
        store.add([(run, image, Prediction(top, (0.0,)))])
    assert store.read(run)[image].top == (1,)


def test_a_set_is_its_classes_and_members(store):
    images = store.image_ids({0: "aa" * 32, 1: "bb" * 32})
    members = (Member(images[1], 3, "x/b.JPEG"), Member(images[0], 4, "y/a.JPEG"))
    classes = tuple("abcdefgh")
    data = store.remember_set("f00d", classes, members)
    assert store.remember_set("f00d", classes, members) == data
    found = store.data_set(data)
    assert (found.fingerprint, found.class_ids, found.members) == ("f00d", classes, members)
    others = [
        store.remember_set("f00d", (*classes, "i"), members),
        store.remember_set(
            "f00d", classes, [Member(m.image, m.label, m.name[2:]) for m in members]
        ),
        store.remember_set("f00d", classes, members[:1]),
    ]
    assert len({data, *others}) == 4
    assert store.data_set(others[0]).class_ids == (*classes, "i")


def test_a_run_has_the_set_that_it_was_last_applied_to(store):
    run = store.run("m", KEY, DAY)
    fill(store, run, 1)
    (before,) = store.runs()
    assert (before.data, before.fingerprint) == (None, None)
    first, second = (store.remember_set(name, ("p",), []) for name in ("f00d", "beef"))
    for data, name in ((first, "f00d"), (second, "beef"), (first, "f00d")):
        store.remember_evaluation(run, data)
        (listed,) = store.runs()
        assert (listed.data, listed.fingerprint) == (data, name)


def test_class_ids_with_spaces_and_other_characters_come_back_as_they_were(store):
    classes = ("hot dog", "cat", "ice cream", 'quote " comma ,', "naïve\n", "[1, 2]")
    data = store.remember_set("f00d", classes, [])
    assert store.data_set(data).class_ids == classes


def test_forgetting_a_run_leaves_the_others_and_other_images(store):
    runs = [store.run("m", KEY, DAY), store.run("m", RunKey("x", {}, {}), DAY)]
    for run in runs:
        images = fill(store, run, 5)
    store.forget(runs[0], [images[0], images[3]])
    assert [len(predicted(store, run)) for run in runs] == [3, 5]


@pytest.mark.parametrize(
    "change",
    [
        "top = x'0300'",
        "top = x'', logits = x''",
        "top = x'01000000', logits = x'0000803f0000803f'",
        "logits = x'0000c07f0000c07f'",
        "top = x'03', logits = x'0000'",
        "crc32 = 7",
    ],
)
def test_a_prediction_that_was_altered_is_an_error(change, tmp_path):
    path = tmp_path / FILE
    with Store(path) as store:
        run = store.run("m", KEY, DAY)
        fill(store, run, 3)
    database = sqlite3.connect(path)
    with database:
        database.execute(f"UPDATE predictions SET {change} WHERE image = 2")
    database.close()
    with Store(path) as store, pytest.raises(RecordError, match=r"run 1 for image 2 is .*--fresh"):
        store.read(run)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE members SET label = 1",
        'UPDATE sets SET class_ids = \'["q", "p"]\'',
        "DELETE FROM members",
        "DELETE FROM sets",
    ],
)
def test_a_list_of_images_that_was_altered_is_an_error(change, tmp_path):
    path = tmp_path / FILE
    with Store(path) as store:
        image = store.image_ids({0: "aa" * 32})[0]
        data = store.remember_set("f00d", ("p", "q"), [Member(image, 0, "a.JPEG")])
    database = sqlite3.connect(path)
    with database:
        database.execute(change)
    database.close()
    with Store(path) as store, pytest.raises(RecordError, match="damaged or was edited"):
        store.data_set(data)


WRITER = """
import sys
from pathlib import Path
from vanbench.prediction_store.prediction import Prediction
from vanbench.prediction_store.store import RunKey, Store
store = Store(Path(sys.argv[1]))
run = store.run("m", RunKey("c", {}, {}), "2026-01-01")
for batch in range(int(sys.argv[2]), 100_000, int(sys.argv[3])):
    images = store.image_ids({i: f"{i:064x}" for i in range(batch * 8, batch * 8 + 8)})
    store.add([(run, image, Prediction((1,), (0.0,))) for image in images.values()])
    print(batch, flush=True)
"""


def start_writer(path, first=0, step=1):
    command = [sys.executable, "-c", WRITER, str(path), str(first), str(step)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill(writer):
    """SIGKILL a writer; how many batches it had reported as stored."""
    os.kill(writer.pid, signal.SIGKILL)
    return len(writer.communicate()[0].splitlines())


def test_what_was_stored_before_a_kill_is_there_after_it(tmp_path):
    path = tmp_path / FILE
    for wait in (0.0, 0.05, 0.13):
        writer = start_writer(path)
        reported = len(writer.stdout.readline().splitlines())
        time.sleep(wait)
        reported += kill(writer)
        with Store(path) as store:
            stored = len(predicted(store, store.run("m", RunKey("c", {}, {}), DAY)))
        assert stored % 8 == 0
        assert stored >= 8 * reported > 0


def test_two_processes_write_at_once(tmp_path):
    path = tmp_path / FILE
    writers = [start_writer(path, first, 2) for first in (0, 1)]
    for writer in writers:
        for _ in range(20):
            assert writer.stdout.readline()
    reported = sum(20 + kill(writer) for writer in writers)
    with Store(path) as store:
        assert len(predicted(store, store.run("m", RunKey("c", {}, {}), DAY))) >= 8 * reported


def test_five_models_over_fifty_thousand_images_take_less_than_60_mb(tmp_path):
    rng = random.Random(0)
    path = tmp_path / FILE
    with Store(path) as store:
        images = store.image_ids({i: rng.randbytes(32).hex() for i in range(50_000)})
        name = "imagenet1k-validation-00.tar/ILSVRC2012_val_00000001.JPEG"
        store.remember_set(
            "f", ("n01440764",) * 1000, [Member(i, 7, name) for i in images.values()]
        )
        for model in range(5):
            run = store.run(str(model), RunKey(str(model), {}, {}), DAY)
            five = Prediction((1, 2, 3, 4, 5), (5.0, 4.0, 3.0, 2.0, 1.0))
            store.add((run, image, five) for image in images.values())
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 60_000_000


def test_a_missing_file_is_said_so(tmp_path):
    with pytest.raises(RecordError, match=r"predictions.sqlite: expected stored .*validate"):
        Store(tmp_path / FILE, create=False)
    assert not (tmp_path / FILE).exists()


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / FILE).write_text("hello, this is not a database at all\n" * 100)
    with pytest.raises(RecordError, match="cannot be used: file is not a database"):
        Store(tmp_path / FILE)


def test_a_database_of_a_later_version(tmp_path):
    Store(tmp_path / FILE).__exit__()
    database = sqlite3.connect(tmp_path / FILE)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(RecordError, match="schema 2 or older, found schema 99, which a newer"):
        Store(tmp_path / FILE)


def filled(path):
    """A store of one run over a set of three images of two classes; the run."""
    with Store(path) as store:
        run = store.run("van_x", KEY, DAY)
        images = store.image_ids({i: f"{i:064x}" for i in range(3)})
        members = [Member(images[i], i % 2, f"{i}.JPEG") for i in range(3)]
        data = store.remember_set("f00d", ("p", "q"), members)
        store.remember_evaluation(run, data)
        store.add((run, images[i], Prediction((i % 2, 1 - i % 2), (2.0, 1.0))) for i in images)
    return run


def edit(path, statements):
    database = sqlite3.connect(path)
    database.create_function("checksum", 4, checksum, deterministic=True)
    database.executescript(statements)
    database.close()


def everything(path):
    """All that commands read of a store."""
    with Store(path, create=False) as store:
        return [(run, stored_tally(store, run), list(stored_rows(store, run)))
                for run in store.runs()]  # fmt: skip


SEAL = "; UPDATE predictions SET crc32 = checksum(run, image, top, logits)"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (f"UPDATE predictions SET top = x'01000200' WHERE image = 2{SEAL}",
         r"the prediction of run 1 for image 2 is damaged.*--fresh"),
        (f"UPDATE predictions SET top = x'01', logits = x'0000'{SEAL}", "run 1 for image 1 is dam"),
        (f"UPDATE predictions SET top = zeroblob(1000000){SEAL}", "run 1 for image 1 is damaged"),
        ("UPDATE images SET sha256 = x'ab' WHERE id = 2", "the SHA-256 of image 2 is damaged"),
        ("DELETE FROM images WHERE id = 2", "image 2 of run 1 is missing"),
        ("UPDATE runs SET identity = 'no JSON'", r"the key of run 1 \(van_x\) is damaged or was"),
        (f"UPDATE runs SET identity = '{'[' * 10**5}'", r"run 1 \(van_x\).*nested more than 64"),
        ("UPDATE runs SET identity = '[]', model = char(27)", r"run 1 \(\\x1b\).*an object with"),
        ("UPDATE runs SET identity = '{\"checkpoint\": 1}'", "expected an object with checkpoint"),
        ("UPDATE runs SET model = CAST(x'ff' AS TEXT)", "cannot be used: Could not decode"),
        ("UPDATE runs SET model = printf('%.*c', 20000000, 'x')", "string or blob too big"),
        ("UPDATE sets SET class_ids = '{}'", "the list of images of data set 1 is damaged"),
        (f"UPDATE sets SET class_ids = '{'[' * 10**5}'", "the list of images of data set 1 is"),
    ],
)  # fmt: skip
def test_content_that_was_not_stored_is_an_error(change, message, tmp_path):
    path = tmp_path / FILE
    filled(path)
    assert everything(path)
    edit(path, change)
    with pytest.raises(RecordError, match=message) as refused:
        everything(path)
    assert refused.value.where == path
    assert len(str(refused.value)) < 800


def test_labels_out_of_range_are_an_error_even_with_the_right_digest(tmp_path):
    path = tmp_path / FILE
    with Store(path) as store:
        image = store.image_ids({0: "aa" * 32})[0]
        for label in (-1, 2):
            data = store.remember_set("f00d", ("p", "q"), [Member(image, label, "a.JPEG")])
            with pytest.raises(RecordError, match=f"data set {data} is damaged"):
                store.data_set(data)


@pytest.mark.parametrize(
    ("planted", "message"),
    [
        ("CREATE TRIGGER t AFTER INSERT ON images BEGIN DELETE FROM runs; END", "trigger t"),
        ("CREATE VIEW v AS SELECT 1", "view v"),
        ("CREATE INDEX i ON images (hex(sha256))", "index i"),
        ("CREATE TABLE other (x)", "table other"),
        ("ALTER TABLE runs ADD COLUMN g TEXT AS (hex(id)) VIRTUAL", "the table runs does not have the"),
        ("ALTER TABLE images RENAME COLUMN sha256 TO sha", "the table images does not have the"),
        ("DROP TABLE members", "found no members"),
        ("DROP TABLE members; CREATE VIEW members AS SELECT 1", "view members"),
        ("PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = 'CREATE TRIGGER' || sql",
         "malformed database schema"),
        ("PRAGMA writable_schema = ON; "
         "UPDATE sqlite_master SET name = CAST(x'ce21' AS TEXT), sql = 'x'",
         "cannot be used: 'utf-8' codec"),
    ],
)  # fmt: skip
def test_a_database_that_would_run_something_is_refused(planted, message, tmp_path):
    path = tmp_path / FILE
    filled(path)
    edit(path, planted)
    with pytest.raises(RecordError, match=message) as refused:
        Store(path)
    assert "Move the file away" in refused.value.remedy


def test_a_database_of_another_program_is_left_as_it_is(tmp_path):
    edit(tmp_path / FILE, "CREATE TABLE bookmarks (url)")
    with pytest.raises(
        RecordError, match=r"expected only the tables of vanbench, found .*bookmarks"
    ):
        Store(tmp_path / FILE)
    with sqlite3.connect(tmp_path / FILE) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]


def test_extensions_are_not_loaded(store):
    with pytest.raises(sqlite3.OperationalError, match="not authorized"):
        store._db.execute("SELECT load_extension('x')")
    assert store._db.execute("PRAGMA trusted_schema").fetchone() == (0,)


def test_an_index_that_leads_to_another_image_is_damage(tmp_path):
    """The bytes of two rows in the index of images are exchanged; the table stays as it was."""
    path = tmp_path / FILE
    filled(path)
    edit(path, "PRAGMA journal_mode = DELETE")
    content = path.read_bytes()
    index = [content.rindex(bytes.fromhex(f"{i:064x}")) for i in range(3)]
    assert len({content[at + 32] for at in index}) > 1
    first, second = (content[at + 32 : at + 33] for at in index[1:])
    swapped = bytearray(content)
    swapped[index[1] + 32 : index[1] + 33], swapped[index[2] + 32 : index[2] + 33] = second, first
    path.write_bytes(swapped)
    with pytest.raises(RecordError, match="the stored predictions are damaged"):
        Store(path)


def test_no_flipped_bit_changes_a_count(tmp_path):
    """An error, the same rows, or another key: never another count of a run with that key."""
    path = tmp_path / "sound.sqlite"
    filled(path)
    edit(path, "PRAGMA journal_mode = DELETE")
    sound, expected = path.read_bytes(), everything(path)
    chance = random.Random(0)
    refused = 0
    for number in range(150):
        damaged = bytearray(sound)
        damaged[chance.randrange(len(sound))] ^= 1 << chance.randrange(8)
        copy = tmp_path / f"{number}.sqlite"
        copy.write_bytes(damaged)
        try:
            found = everything(copy)
        except RecordError:
            refused += 1
            continue
        for run, tally, _ in found:
            assert run.key != KEY or tally == expected[0][1]
    assert 10 < refused < 150


def pipe(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to("/dev/zero")


def loop(path):
    path.symlink_to(path.name)


@pytest.mark.parametrize("make", [os.mkdir, pipe, device, loop])
@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal", ".lock"])
def test_what_is_no_file_is_not_opened(make, suffix, tmp_path):
    place = tmp_path / f"{FILE}{suffix}"
    make(place)
    with pytest.raises(RecordError, match=r"expected a file, found|loop of symbolic"):
        Store(tmp_path / FILE)
    assert [path.name for path in tmp_path.iterdir()] == [place.name]


def test_a_folder_that_cannot_be_is_an_error_of_ours(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="the stored predictions cannot be used"):
        Store(tmp_path / "file" / "results" / FILE)


def test_a_read_only_database_is_an_error_of_ours(tmp_path, monkeypatch):
    filled(tmp_path / FILE)
    connect = sqlite3.connect

    def read_only(path, **options):
        return connect(f"{path.as_uri()}?mode=ro", uri=True, **options)

    edit(tmp_path / FILE, "PRAGMA journal_mode = DELETE")
    monkeypatch.setattr(sqlite3, "connect", read_only)
    with pytest.raises(RecordError, match=r"readonly database.*fix the permissions"):
        Store(tmp_path / FILE)


@pytest.mark.parametrize("version", [-1, 3, 2**31 - 1])
def test_versions_that_are_none(version, tmp_path):
    filled(tmp_path / FILE)
    edit(tmp_path / FILE, f"PRAGMA user_version = {version}")
    newer = ", which a newer vanbench wrote" if version > 0 else r"\. Move"
    with pytest.raises(RecordError, match=f"found schema {version}{newer}"):
        Store(tmp_path / FILE)


def write_ahead_log(path, folder):
    """A copy of a store with its log, as a killed process leaves them."""
    folder.mkdir()
    with Store(path) as store:
        run = store.run("late", RunKey("late", {}, {}), DAY)
        store.add([(run, 1, Prediction((1,), (0.0,)))])
        for file in path.parent.glob(f"{path.name}*"):
            shutil.copy(file, folder / file.name)
    return folder / path.name


def test_a_log_that_is_missing_loses_only_what_was_in_it(tmp_path):
    filled(tmp_path / FILE)
    copy = write_ahead_log(tmp_path / FILE, tmp_path / "killed")
    copy.with_name(f"{FILE}-wal").unlink()
    copy.with_name(f"{FILE}-shm").unlink()
    ((run, tally, rows),) = everything(copy)
    assert (run.key, tally, len(rows)) == (KEY, Tally(3, 3, 3), 3)


@pytest.mark.parametrize("size", [0, 31, 32, 1000, 5000])
def test_a_log_that_is_cut_or_garbage_is_no_part_of_the_store(size, tmp_path):
    filled(tmp_path / FILE)
    copy = write_ahead_log(tmp_path / FILE, tmp_path / "killed")
    log = copy.with_name(f"{FILE}-wal")
    log.write_bytes(random.Random(0).randbytes(5000)[:size])
    ((run, tally, _),) = everything(copy)
    assert (run.key, tally) == (KEY, Tally(3, 3, 3))
