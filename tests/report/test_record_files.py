"""Record files: written completely or not at all, read strictly, refused with the right advice."""

import json

import pytest

from tests.support.recorded import NAME, entry_in, full_record, without_file
from tests.support.special_files import device, folder, huge, looping_link, named_pipe
from vanbench.errors import RecordError
from vanbench.report import record_files
from vanbench.zoo.reader import load_zoo


@pytest.fixture
def entry(tmp_path):
    return entry_in(tmp_path)


@pytest.fixture
def full(entry):
    return full_record(entry)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "zoo" / f"{NAME}.json"


def refused(tmp_path, entry):
    """The error that reading the record raises."""
    with pytest.raises(RecordError) as caught:
        record_files.read(tmp_path, "zoo", entry)
    return caught.value


def edit(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_round_trip(tmp_path, entry, full):
    assert record_files.read(tmp_path, "zoo", entry) is None
    record_files.write(tmp_path, full)
    assert record_files.read(tmp_path, "zoo", entry) == full


def test_a_success_forgets_the_failure(tmp_path, entry, full):
    failed = without_file(full)
    record_files.write_failed(tmp_path, failed)
    assert record_files.read(tmp_path, "zoo", entry) is None
    assert record_files.read_failed(tmp_path, "zoo", entry) == failed
    record_files.write(tmp_path, full)
    assert record_files.read_failed(tmp_path, "zoo", entry) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("schema"), "expected an object of schema 1"),
        (lambda d: d.update(schema="1"), "expected an object of schema 1"),
        (lambda d: d["counts"].update(params="10"), "key 'counts.params'"),
        (lambda d: d["counts"].update(params=True), "key 'counts.params'"),
        (lambda d: d["counts"]["architecture"].update(embed_dims=8), "key 'counts.architecture"),
        (lambda d: d["counts"]["architecture"].update(depths=[1]), "key 'counts.architecture"),
        (lambda d: d["counts"]["architecture"].update(arch="van_b0"), "key 'counts.architecture"),
        (lambda d: d["accuracy"].pop("images"), "missing key 'accuracy.images'"),
        (lambda d: d.update(counts=[1]), "key 'counts'"),
    ],
)
def test_a_malformed_record_is_refused_with_its_path(tmp_path, entry, full, path, change, message):
    record_files.write(tmp_path, full)
    edit(path, change)
    error = refused(tmp_path, entry)
    assert error.where == path
    assert f"not a readable record: {message}" in error.problem
    assert error.remedy == (
        "Restore it from version control, or delete it and run vanbench verify again."
    )


def test_half_a_record_is_refused(tmp_path, entry, full, path):
    record_files.write(tmp_path, full)
    path.write_text(path.read_text()[:100])
    assert "not a readable record" in refused(tmp_path, entry).problem


def test_a_record_of_a_newer_schema_is_not_to_be_deleted(tmp_path, entry, full, path):
    record_files.write(tmp_path, full)
    edit(path, lambda d: d.update(schema=2, surprise=1))
    error = refused(tmp_path, entry)
    assert error.problem == "it has schema 2, and this version of vanbench reads schema 1"
    assert "Install the version of vanbench that wrote it" in error.remedy
    assert "elete" not in error.remedy


def test_an_unknown_key_may_be_that_of_another_version(tmp_path, entry, full, path):
    record_files.write(tmp_path, full)
    edit(path, lambda d: d["accuracy"].update(surprise=1))
    error = refused(tmp_path, entry)
    assert error.problem == "not a readable record: unknown key 'accuracy.surprise'"
    assert error.remedy == (
        "A newer vanbench may have written it. Install the version of vanbench that wrote it, or "
        "give another folder with --results. Otherwise restore it from version control, or delete "
        "it and run vanbench verify again."
    )


def test_the_record_of_another_model_is_refused(tmp_path, entry, full, path):
    record_files.write(tmp_path, full)
    edit(path, lambda d: d.update(name="other"))
    assert "expected the record of zoo/van_test.in1k, found that of zoo/other" in str(
        refused(tmp_path, entry)
    )


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (folder, "expected a file, found a folder"),
        (named_pipe, "expected a file, found a named pipe (FIFO)"),
        (looping_link, "cannot be read: a loop of symbolic links"),
        (device, "expected a file, found a character device"),
        (huge, "expected at most 4,000,000 bytes, found 1,099,511,627,776"),
    ],
)
def test_a_record_that_is_no_file_or_huge(tmp_path, entry, path, make, problem):
    path.parent.mkdir()
    make(path)
    error = refused(tmp_path, entry)
    assert (error.problem, error.where, error.exit_code) == (problem, path, 3)
    assert error.remedy.startswith("Restore it from version control, or delete it")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 10**5, "nested more than 64 deep"),
        ('{"schema": ' + "1" * 10**5 + "}", "a number of more than 300 characters"),
        ('{"schema": 1, "schema": 1}', "the key 'schema' twice in one object"),
        ('{"schema": 1.0}', "expected an object of schema 1"),
        ('{"schema": true}', "expected an object of schema 1"),
        ("[1]", "expected an object of schema 1"),
        ('{"schema": 1, "name": "' + "x" * 10**6 + '"}', "missing key 'zoo'"),
    ],
)
def test_what_is_hard_to_parse(tmp_path, entry, path, text, message):
    path.parent.mkdir()
    path.write_text(text)
    error = refused(tmp_path, entry)
    assert error.problem.startswith(f"not a readable record: {message}")
    assert len(str(error)) < 500


def test_texts_of_a_record_do_not_fill_the_message(tmp_path, entry, full, path):
    record_files.write(tmp_path, full)
    edit(path, lambda d: d["checkpoint"].update(status="\x1b[2J" * 10**5))
    error = refused(tmp_path, entry)
    assert error.problem.isprintable()
    assert len(str(error)) < 6000


def test_a_contradiction_is_named_with_what_to_do(tmp_path, entry, full, path):
    record_files.write(tmp_path, full)
    edit(path, lambda d: d["accuracy"].update(images=0))
    error = refused(tmp_path, entry)
    assert error.where == path
    assert error.problem.startswith("the record contradicts itself: accuracy.images is 0; ")
    assert error.remedy == (
        "It was edited, or damaged. Restore it from version control, or delete it and run "
        "vanbench verify again."
    )


def test_a_record_that_does_not_fit_the_zoo(tmp_path, full):
    record_files.write(tmp_path, full)
    error = refused(tmp_path, entry_in(tmp_path, resolution="64"))
    assert error.problem == (
        "the record does not fit the zoo: counts.resolution is 32, and the zoo's is 64"
    )
    assert error.remedy.startswith("The zoo changed, or the record.")


def test_a_failed_attempt_is_checked_too(tmp_path, entry, full):
    record_files.write_failed(tmp_path, without_file(full))
    edit(tmp_path / "zoo" / "failed" / f"{NAME}.json", lambda d: d["counts"].update(params=1))
    with pytest.raises(RecordError, match=r"counts\.params is 1"):
        record_files.read_failed(tmp_path, "zoo", entry)


@pytest.mark.parametrize("model", load_zoo("openmmlab").entries, ids=lambda entry: entry.name)
def test_the_committed_records_are_read(model, pytestconfig):
    """Those that were written before the environment had a commit, too."""
    record = record_files.read(pytestconfig.rootpath / "results", "openmmlab", model)
    assert record is not None
    assert record.counts is not None
