"""Images predicted again: planted wrong choices are found, ties are told from them."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.support.command_line import DEMO_IMAGES, run
from vanbench.download.obtain import Sources
from vanbench.evidence import files, labels_file, top5_file
from vanbench.evidence.audit import CONTRADICTED, FOLLOWS, audit
from vanbench.evidence.labels_file import labels_of
from vanbench.prediction_store.prediction import Tally
from vanbench.report import record_files
from vanbench.report.records import with_accuracy
from vanbench.spot_check import is_tie, spot_check
from vanbench.zoo.reader import load_zoo

NAME = "van_nano.digits"
DEMO = load_zoo("demo")
ALL = 360


@pytest.fixture(scope="module")
def verified(tmp_path_factory):
    """Results of the demo zoo's smallest model, in fp32 and bf16."""
    results = tmp_path_factory.mktemp("verified") / "results"
    for precision in ("fp32", "bf16"):
        run("verify", NAME, "--zoo", "demo", "--device", "cpu", "--workers", 0, "-q",
            "--precision", precision, "--results", results)  # fmt: skip
    return results


@pytest.fixture
def results(verified, tmp_path):
    return Path(shutil.copytree(verified, tmp_path / "results"))


def path_in(results):
    return results / "demo" / f"{NAME}.json"


def checked(results, tmp_path, *, data=DEMO_IMAGES, sample=ALL, zoos=(DEMO,)):
    audited = audit(path_in(results), zoos)
    return spot_check(audited, data, sample, Sources(tmp_path / "cache"))


def forge(results, change):
    """Rewrite the evidence in fp32, with the hashes and counts that follow from it.

    ``change`` gets the labels as {SHA-256: label} and the choices as {id: classes}.
    """
    record = record_files.read_file(path_in(results), "demo", NAME, None)
    accuracy = record.accuracy
    labels = labels_file.decode((results / accuracy.evidence.labels_file).read_bytes())
    top5 = top5_file.decode((results / accuracy.evidence.file).read_bytes())
    by_sha256, choices = dict(labels.rows), dict(top5.rows)
    change(by_sha256, choices)
    labelled = [(sha256.hex(), label) for sha256, label in by_sha256.items()]
    tops = {sha256: choices[sha256[:8]] for sha256 in by_sha256}
    tally = Tally.of((label, tops[sha256]) for sha256, label in by_sha256.items())
    fingerprint = labels_of(labels.classes, labelled).fingerprint
    data = replace(accuracy.data, fingerprint=fingerprint)
    accuracy = replace(accuracy, data=data, evidence=None, **vars(tally))
    evidence = files.write(results, record, accuracy, labelled, tops)
    record_files.write(results, with_accuracy(record, replace(accuracy, evidence=evidence)))


def test_a_real_record_is_confirmed_in_each_precision(results, tmp_path):
    found = checked(results, tmp_path)
    assert found.findings == ()
    assert [(one.precision, one.status) for one in found.accuracies] == [
        ("fp32", FOLLOWS), ("bf16", FOLLOWS)
    ]  # fmt: skip
    for one in found.accuracies:
        assert (one.sample.images, one.sample.device, one.error) == (ALL, "cpu", None)
        assert one.sample.same + one.sample.ties == ALL
        assert one.sample.ties < 5


def test_a_planted_choice_is_found(results, tmp_path):
    """All hashes and counts of the record follow from it, so that only predicting tells."""
    planted = []

    def plant(labels, choices):
        sha256 = next(s for s, label in labels.items() if choices[s[:8]][0] != label)
        first, *others = choices[sha256[:8]]
        right = labels[sha256]
        choices[sha256[:8]] = (right, *[label for label in (first, *others) if label != right][:4])
        planted.append(right)

    forge(results, plant)
    assert audit(path_in(results), [DEMO]).findings == ()
    found = checked(results, tmp_path)
    (finding,) = found.findings
    assert finding.what.startswith("image digit-")
    assert finding.found.startswith(f"digit-{planted[0]}, ")
    assert not finding.expected.startswith(f"digit-{planted[0]}")
    assert [one.status for one in found.accuracies] == [CONTRADICTED, FOLLOWS]
    assert found.accuracies[0].sample.same == ALL - 1


def test_a_planted_label_is_found(results, tmp_path):
    def plant(labels, choices):
        sha256 = next(s for s, label in labels.items() if choices[s[:8]][0] != label)
        labels[sha256] = choices[sha256[:8]][0]

    forge(results, plant)
    assert audit(path_in(results), [DEMO]).findings == ()
    (finding,) = checked(results, tmp_path).findings
    assert finding.what.startswith("the class of image digit-")
    assert finding.expected != finding.found


def test_choices_of_an_image_that_could_not_be_read_are_found(results, tmp_path):
    """Recorded as unreadable, and it can be decoded here."""

    def plant(labels, choices):
        choices[next(iter(choices))] = ()

    forge(results, plant)
    found = checked(results, tmp_path).accuracies[0]
    assert "no choice" in [finding.found for finding in found.findings]


def test_a_sample_is_random_and_has_its_size(results, tmp_path):
    assert checked(results, tmp_path, sample=7).accuracies[0].sample.images == 7
    assert checked(results, tmp_path, sample=10_000).accuracies[0].sample.images == ALL


def test_a_part_of_the_data_set_will_do(results, tmp_path):
    part = tmp_path / "part"
    shutil.copytree(DEMO_IMAGES / "digit-3", part / "digit-3")
    found = checked(results, tmp_path, data=part).accuracies[0]
    assert (found.status, found.sample.images) == (FOLLOWS, len(list((part / "digit-3").iterdir())))


def test_other_images_are_not_the_records_fault(results, tmp_path):
    other = tmp_path / "other"
    (other / "digit-3").mkdir(parents=True)
    image = next((DEMO_IMAGES / "digit-3").iterdir()).read_bytes()
    (other / "digit-3/x.jpg").write_bytes(image + b" ")
    found = checked(results, tmp_path, data=other)
    assert found.findings == ()
    for one in found.accuracies:
        assert one.sample is None
        assert "expected the images of the record, found 1 others among 1" in one.error.problem


def test_without_the_zoo_or_the_file_it_is_an_error_of_the_accuracy(results, tmp_path):
    for one in checked(results, tmp_path, zoos=()).accuracies:
        assert one.error.problem == "no zoo 'demo' with this model is known"
    gone = replace(DEMO.entries[0], urls=((tmp_path / "gone-02d1f972.pth").as_uri(),))
    zoo = replace(DEMO, entries=(gone, *DEMO.entries[1:]))
    audited = audit(path_in(results), [DEMO])
    audited = replace(audited, entry=zoo.entries[0])
    for one in spot_check(audited, DEMO_IMAGES, 3, Sources(tmp_path / "cache")).accuracies:
        assert one.error.exit_code == 3


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((0, 1, 2), (0, 1, 2), True),
        ((0, 1, 2), (0, 2, 1), True),  # 5.0 and 4.9999
        ((0, 1, 2), (0, 1, 3), False),  # 4.9999 and 4.9
        ((0, 1, 2), (1, 0, 2), False),
        ((0, 1, 2), (), False),
        ((), (), False),
    ],
)
def test_a_tie_is_an_order_of_equal_logits(one, other, expected):
    logits = torch.tensor([10.0, 5.0, 4.9999, 4.9])
    assert is_tie(logits, one, other, 1e-4) is expected


def test_logits_that_are_not_finite_are_no_tie():
    assert not is_tie(torch.tensor([float("nan"), 1.0]), (0,), (1,), 1e-4)
