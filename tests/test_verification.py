"""The main job, as its user runs it: real HTTP, real files, a set with arranged counts."""

import json
import re
import shutil
from dataclasses import replace

import pytest

from tests.support.arranged import arrange, checkpoint, published_name, write_zoo
from tests.support.faultserver import FaultServer
from tests.support.models import TINY, randomized
from tests.support.verifying import Shell, claim
from vanbench.checkpoints.key_names import OFFICIAL, OPENMMLAB, TRANSFORMERS
from vanbench.model.architecture import Architecture
from vanbench.zoo.class_ids import imagenet_1k

CLASSES = [f"class-{i}" for i in range(10)]
RIGHT, AMONG5, WRONG = 13, 6, 5  # of 24: Top-1 54.1666…, Top-5 79.1666…


@pytest.fixture(scope="module")
def model():
    return randomized()


@pytest.fixture(scope="module")
def data(model, tmp_path_factory):
    return arrange(tmp_path_factory.mktemp("data"), model, CLASSES, RIGHT, AMONG5, WRONG)


@pytest.fixture
def server():
    with FaultServer() as server:
        yield server


@pytest.fixture
def shell(tmp_path, data):
    return Shell(tmp_path, data)


def verdicts(row):
    return [row[figure]["verdict"] for figure in ("params", "flops", "top1", "top5")]


def test_all_namings_are_verified_and_reproduced(shell, server, model):
    claims = [
        claim(server, model, f"van_{fmt.name}.in1k", fmt)
        for fmt in (OPENMMLAB, OFFICIAL, TRANSFORMERS)
    ]
    write_zoo(shell.zoo, CLASSES, *claims)
    document = shell.verify()
    for row, fmt in zip(document["models"], (OPENMMLAB, OFFICIAL, TRANSFORMERS), strict=True):
        assert row["checkpoint"]["status"] == "verified"
        assert row["checkpoint"]["format"] == fmt.name
        assert row["architecture"] == TINY.as_dict()
        assert verdicts(row) == ["reproduced"] * 4
        assert row["params"]["source"] == "checkpoint"
        assert row["top1"]["correct"] == RIGHT
        assert row["top5"]["correct"] == RIGHT + AMONG5
        assert row["top1"]["images"] == 24
        assert row["top1"]["measured"] == pytest.approx(100 * RIGHT / 24, abs=1e-12)
        assert row["verdict"] == "reproduced"
        assert json.loads(shell.record(row["name"]).read_text())["accuracy"]["correct1"] == RIGHT
    assert document["data"]["images"] == 24
    assert document["environment"]["device"] == "cpu"


def test_reference_and_rewrite_give_the_same_document(shell, server, model):
    write_zoo(shell.zoo, CLASSES, claim(server, model))
    assert shell.verify()["models"] == shell.verify("--reference")["models"]


def test_a_wrong_name_is_a_mismatch_and_the_others_are_done(shell, server, model):
    wrong = claim(server, model, "van_wrong.in1k", file="van-test-00000000.pth")
    write_zoo(shell.zoo, CLASSES, wrong, claim(server, model))
    document = shell.verify(code=3)
    first, second = document["models"]
    assert first["checkpoint"]["status"] == "mismatch"
    assert first["params"]["source"] == "architecture"
    assert first["top1"]["verdict"] == "not measured"
    assert first["verdict"] == "not measured"
    assert second["verdict"] == "reproduced"
    assert not (shell.folder / "cache" / "van-test-00000000.pth").exists()
    assert not shell.record("van_wrong.in1k").exists()
    table = shell("table").stdout
    assert "| van_wrong.in1k | mismatch [1]" in table


def test_a_file_that_is_not_there_is_missing(shell, server, model):
    gone = claim(server, model)
    gone.url += "-gone-00000000.pth"
    write_zoo(shell.zoo, CLASSES, gone)
    row = shell.verify(code=3)["models"][0]
    assert row["checkpoint"]["status"] == "missing"
    assert "404" in row["checkpoint"]["reason"]
    assert row["architecture"] is None
    assert verdicts(row)[:2] == ["reproduced", "reproduced"]


def test_mirrors_from_the_environment(shell, server, model, monkeypatch, tmp_path):
    """Several, separated by spaces; the second one, a folder, has the file."""
    gone = claim(server, model)
    file = gone.url.rsplit("/", 1)[1]
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / file).write_bytes(checkpoint(model))
    gone.url = f"http://127.0.0.1:9/{file}"
    write_zoo(shell.zoo, CLASSES, gone)
    monkeypatch.setenv("VANBENCH_MIRROR", f"{server.url}/nothing {tmp_path / 'mirror'}")
    assert shell.verify()["models"][0]["verdict"] == "reproduced"


def test_a_figure_that_deviates_is_1_even_beside_a_failure(shell, server, model):
    wrong = claim(server, model, "van_wrong.in1k", file="van-test-00000000.pth")
    write_zoo(shell.zoo, CLASSES, claim(server, model, top1="60.00"), wrong)
    document = shell.verify(code=1)
    assert document["models"][0]["top1"]["verdict"] == "deviates"
    assert document["models"][0]["top1"]["delta"] == pytest.approx(100 * RIGHT / 24 - 60)
    assert shell.record().exists()


def test_close_is_not_a_failure(shell, server, model):
    write_zoo(shell.zoo, CLASSES, claim(server, model, top1="54.20"))
    assert shell.verify()["models"][0]["verdict"] == "close"


def test_the_files_own_tensors_decide_the_architecture(shell, server, model):
    """As with VAN-B6: the file holds another network than the entry declares."""
    held = randomized(Architecture((8, 12, 24, 20), TINY.depths, TINY.mlp_ratios, 10))
    other = claim(server, held)
    other.model = model  # what the zoo declares
    write_zoo(shell.zoo, CLASSES, other)
    row = shell.verify(code=1)["models"][0]
    assert row["architecture"]["embed_dims"] == [8, 12, 24, 20]
    assert row["params"]["verdict"] == row["flops"]["verdict"] == "deviates"


def test_a_partial_run_records_nothing(shell, server, model):
    write_zoo(shell.zoo, CLASSES, claim(server, model))
    row = shell.verify("--limit", 10)["models"][0]
    assert verdicts(row)[2:] == ["partial", "partial"]
    assert row["top1"]["images"] == 10
    assert not list(shell.results.rglob("*.json"))


@pytest.fixture(scope="module")
def thousand(tmp_path_factory):
    """A model of 1,000 classes and 24 images of ImageNet's classes with known counts."""
    model = randomized(replace(TINY, num_classes=1000))
    folder = tmp_path_factory.mktemp("part")
    return model, arrange(folder, model, list(imagenet_1k()), RIGHT, AMONG5, WRONG)


@pytest.mark.parametrize("top1", ["54.17", "75.41"])
def test_a_part_of_imagenet_is_never_the_whole(top1, shell, server, thousand):
    """The zoo does not say over how many images its claims are."""
    model, shell.data = thousand
    write_zoo(shell.zoo, "imagenet-1k", claim(server, model, top1=top1))
    document = shell.verify(code=3)
    row = document["models"][0]
    assert verdicts(row)[2:] == ["partial", "partial"]
    assert row["top1"]["reason"] == "over 24 images, where the claim is about 50,000"
    assert (document["data"]["verdict"], document["data"]["partial"]) == ("subset", True)
    assert not list(shell.results.rglob("*.json"))
    text = shell("verify", "--all", "--data", shell.data, "--workers", "0", code=3).stdout
    assert "over 24 images, where the claim is about 50,000" in text


def test_the_zoo_may_claim_a_part_of_imagenet(shell, server, thousand):
    model, shell.data = thousand
    write_zoo(shell.zoo, "imagenet-1k", claim(server, model), images=24)
    assert shell.verify()["models"][0]["verdict"] == "reproduced"
    assert shell.record().exists()
    write_zoo(shell.zoo, "imagenet-1k", claim(server, model))
    table = shell("table").stdout
    assert "not measured" in table
    assert "on record only over 24 images, where the claim is about 50,000" in table


@pytest.mark.parametrize("images", [None, 24])
def test_an_altered_set_is_named_and_never_reproduced(images, shell, server, model, data, tmp_path):
    shell.data = tmp_path / "altered"
    shutil.copytree(data, shell.data)
    (shell.data / "no-class").mkdir()
    (shell.data / "no-class" / "x.jpg").write_bytes(b"")
    write_zoo(shell.zoo, CLASSES, claim(server, model), images=images)
    row = shell.verify(code=3)["models"][0]
    assert verdicts(row)[2:] == ["partial", "partial"]
    assert "the data set is altered: 1 image is left out" in row["top1"]["reason"]
    assert not list(shell.results.rglob("*.json"))


def test_a_later_run_without_data_keeps_the_accuracy(shell, server, model):
    write_zoo(shell.zoo, CLASSES, claim(server, model))
    shell.verify()
    before = json.loads(shell.record().read_text())
    shell("verify", "--all")
    after = json.loads(shell.record().read_text())
    assert after["accuracy"] == before["accuracy"]


def test_a_failure_never_replaces_a_full_record(shell, server, model):
    write_zoo(shell.zoo, CLASSES, claim(server, model))
    shell.verify()
    before = shell.record().read_bytes()
    next((shell.folder / "cache").glob("van-test-*.pth")).unlink()
    shell.verify("--offline", code=3)
    shell.verify("--limit", 3, "--offline", code=3)
    assert shell.record().read_bytes() == before


def test_another_file_with_the_recorded_prefix_is_a_mismatch(shell, server, model):
    write_zoo(shell.zoo, CLASSES, claim(server, model))
    shell.verify()
    record = json.loads(shell.record().read_text())
    other = record["checkpoint"]["sha256"][:8] + "0" * 56
    record["checkpoint"]["sha256"] = record["accuracy"]["sha256"] = other
    shell.record().write_text(json.dumps(record))
    assert shell.verify(code=3)["models"][0]["checkpoint"]["status"] == "mismatch"


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        ("accuracy", {"sha256": "0" * 64}, "accuracy.sha256 is 000"),
        ("checkpoint", {"sha256": "0" * 64}, "checkpoint.sha256 is 000"),
        ("accuracy", {"images": 0}, "accuracy.images is 0"),
        ("accuracy", {"correct1": 23}, "found 23, 19 and 24"),
        ("counts", {"params": 1}, "counts.params is 1"),
    ],
)
def test_an_edited_record_is_not_believed(shell, server, model, section, changes, message):
    """Not by ``table``, and not by a later ``verify``, which leaves it as it is."""
    write_zoo(shell.zoo, CLASSES, claim(server, model))
    shell.verify()
    record = json.loads(shell.record().read_text())
    record[section] |= changes
    shell.record().write_text(json.dumps(record))
    for command in (("table",), ("table", "--json"), ("verify", "--all")):
        outcome = shell(*command, code=3)
        assert (outcome.stdout == "") == (command == ("table",))
        assert f"{shell.record()}: the record contradicts itself: " in outcome.stderr
        assert message in outcome.stderr
        assert "delete it and run vanbench verify again." in outcome.stderr
        assert json.loads(shell.record().read_text()) == record


def test_a_damaged_record_does_not_stop_the_other_models(shell, server, model):
    claims = [claim(server, model, f"van_{name}.in1k") for name in ("damaged", "sound")]
    write_zoo(shell.zoo, CLASSES, *claims)
    shell.verify()
    shell.record("van_damaged.in1k").write_text("{")
    shell.record("van_sound.in1k").unlink()
    shell.verify(code=3)
    assert shell.record("van_damaged.in1k").read_text() == "{"
    assert json.loads(shell.record("van_sound.in1k").read_text())["accuracy"]["correct1"] == RIGHT


def test_records_name_no_folder_of_this_machine(shell, server, model):
    wrong = claim(server, model, "van_wrong.in1k", file="van-test-00000000.pth")
    write_zoo(shell.zoo, CLASSES, claim(server, model), wrong)
    shell.verify(code=3)
    for path in shell.results.rglob("*.json"):
        assert str(shell.folder) not in path.read_text()
        assert str(shell.data) not in path.read_text()


def test_an_unreadable_image_stops_by_default(shell, server, model, tmp_path):
    broken = arrange(tmp_path / "broken", model, CLASSES, 4, 2, 2)
    victim = next(broken.rglob("picture_0003.jpg"))
    victim.write_bytes(victim.read_bytes()[:300])
    shell.data = broken
    write_zoo(shell.zoo, CLASSES, claim(server, model))
    row = shell.verify(code=3)["models"][0]
    assert row["top1"]["verdict"] == "not measured"
    assert "picture_0003.jpg" in row["top1"]["reason"]
    assert not shell.record().exists()


def test_count_wrong_keeps_the_denominator_and_says_so(shell, server, model, tmp_path):
    broken = arrange(tmp_path / "broken", model, CLASSES, 4, 2, 2)
    victim = next(broken.rglob("picture_0003.jpg"))
    victim.write_bytes(victim.read_bytes()[:300])
    shell.data = broken
    write_zoo(shell.zoo, CLASSES, claim(server, model, top1="37.50", top5="62.50"))
    row = shell.verify("--on-error", "count-wrong")["models"][0]
    assert (row["top1"]["correct"], row["top5"]["correct"], row["top1"]["images"]) == (3, 5, 8)
    assert "1 unreadable image counted as wrong" in shell("table").stdout


def test_weights_that_are_not_finite_are_a_failure_of_that_model_only(shell, server, model):
    bad = randomized(seed=1)
    bad.head.weight[0, 0] = float("nan")
    write_zoo(shell.zoo, CLASSES, claim(server, bad, "van_nan.in1k"), claim(server, model))
    first, second = shell.verify(code=3)["models"]
    assert first["verdict"] == "not measured"
    assert second["verdict"] == "reproduced"
    assert "NaN" in shell("verify", "van_nan").stdout


def test_the_terminal_shows_every_model_and_the_reasons(shell, server, model):
    wrong = claim(server, model, "van_wrong.in1k", file="van-test-00000000.pth")
    write_zoo(shell.zoo, CLASSES, claim(server, model), wrong)
    command = ("verify", "--all", "--data", shell.data, "--workers", "0", "--details")
    output = shell(*command, code=3).output
    assert re.search(r"van_test\.in1k +✓ \w{8} .* ✓ 54\.17", output)
    assert re.search(r"van_wrong\.in1k +✗ mismatch", output)
    assert "INCOMPLETE: " in output
    assert "van_wrong.in1k: file mismatch: " in output
    assert re.search(r"Top-1, % +54\.17 +54\.167 +−0\.003 +reproduced", output)
    assert re.search(r"SHA-256 +00000000 +mismatch \[1\]", output)
    assert "[1] " in output


def test_each_failure_gets_its_own_advice_whatever_comes_first(shell, server, model):
    """A garbage file before a host that is down: the advice for one does not stand for both."""
    garbage = claim(server, model, "van_garbage.in1k")
    file = published_name(b"no checkpoint")
    garbage.url = server.put(f"/garbage/{file}", b"no checkpoint")
    down = [claim(server, model, f"van_down{i}.in1k") for i in (1, 2)]
    for other in down:
        other.url = f"http://127.0.0.1:9/{other.url.rsplit('/', 1)[1]}"
    write_zoo(shell.zoo, CLASSES, garbage, *down)
    outcome = shell("verify", "--all", code=3)
    assert re.search(r"van_garbage\.in1k +✗ unreadable", outcome.stdout)
    advice = "Give another source with --mirror"
    assert outcome.stderr.count(advice) == 1
    assert f"van_down1.in1k, van_down2.in1k: {advice}" in outcome.stderr
    assert "van_garbage.in1k: " in outcome.stderr


def test_advice_about_every_failure_is_given_once_without_names(shell, server, model):
    down = [claim(server, model, f"van_down{i}.in1k") for i in (1, 2)]
    for other in down:
        other.url = f"http://127.0.0.1:9/{other.url.rsplit('/', 1)[1]}"
    write_zoo(shell.zoo, CLASSES, *down)
    lines = shell("verify", "--all", code=3).stderr.splitlines()
    assert sum(line.startswith("Give another source with --mirror") for line in lines) == 1
    assert not any("van_down" in line for line in lines)
