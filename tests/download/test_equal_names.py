"""Files of different models that have the same base name, over real HTTP, in every command."""

import hashlib
import json

import pytest
from click.testing import CliRunner

from tests.support.arranged import Claim, arrange, checkpoint, write_zoo
from tests.support.faultserver import FaultServer
from tests.support.models import randomized
from vanbench.cli.group import main

CLASSES = [f"class-{i}" for i in range(10)]
NAMES = ("van_a.in1k", "van_b.in1k")


@pytest.fixture(scope="module")
def models():
    return [randomized(seed=0), randomized(seed=1)]


@pytest.fixture(scope="module")
def contents(models):
    return [checkpoint(model) for model in models]


@pytest.fixture(scope="module")
def data(models, tmp_path_factory):
    """A set on which the first model has 13 of 24 right; the second one has fewer."""
    return arrange(tmp_path_factory.mktemp("data"), models[0], CLASSES, 13, 6, 5)


@pytest.fixture
def server(contents):
    with FaultServer() as running:
        for folder, content in zip("ab", contents, strict=True):
            running.put(f"/van-{folder}/model.pth", content)
        yield running


def sha256(content):
    return hashlib.sha256(content).hexdigest()


class Shell:
    """Commands on a zoo of two files that are both called model.pth."""

    def __init__(self, folder, server, models, data):
        self.folder, self.cache, self.zoo, self.data = (
            folder, folder / "cache", folder / "zoo.toml", data,
        )  # fmt: skip
        self.claims = [
            Claim(name, f"{server.url}/van-{x}/model.pth", model, "54.17", "79.17")
            for name, x, model in zip(NAMES, "ab", models, strict=True)
        ]

    def write(self, *sha256s):
        write_zoo(self.zoo, CLASSES, *self.claims)
        text = self.zoo.read_text()
        for claim, digest in zip(self.claims, sha256s, strict=False):
            url = f'url = "{claim.url}"'
            text = text.replace(url, f'{url}\nsha256 = "{digest}"', 1)
        self.zoo.write_text(text)

    def run(self, *args, code=None):
        common = ["--zoo", self.zoo, "--cache", self.cache, "--results", self.folder / "results"]
        done = CliRunner().invoke(main, [str(a) for a in (*args, *common)])
        assert "Traceback" not in done.output
        assert code is None or done.exit_code == code, done.output
        return done

    def json(self, *args, code=None):
        return json.loads(self.run(*args, "--json", code=code).stdout)

    def verify(self, *args, code=None):
        names = () if any(str(a).startswith("van_") for a in args) else ("--all",)
        more = ("--data", self.data, "--workers", "0", "--fresh", *args)
        return self.json("verify", *names, *more, code=code)["models"]


@pytest.fixture
def shell(tmp_path, server, models, data):
    return Shell(tmp_path, server, models, data)


def counts(rows):
    return {row["name"]: row["top1"]["correct"] for row in rows}


@pytest.fixture
def alone(shell, tmp_path, contents):
    """The Top-1 of each file, measured alone from a path."""
    shell.write()
    found = {}
    for name, content in zip(NAMES, contents, strict=True):
        path = tmp_path / f"{name}.pth"
        path.write_bytes(content)
        more = ("--checkpoint", path, "--data", shell.data, "--workers", "0", "--fresh")
        found[name] = shell.json("validate", *more, code=0)["models"][0]["correct1"]
    assert found["van_a.in1k"] == 13 != found["van_b.in1k"]
    return found


def published(contents, form):
    return {
        "no hash": (),
        "hash": map(sha256, contents),
        "prefix": (sha256(c)[:8] for c in contents),
    }[form]


@pytest.mark.parametrize("form", ["no hash", "hash", "prefix"])
def test_verify_scores_each_model_on_its_own_file(shell, alone, contents, form):
    shell.write(*published(contents, form))
    for offline in ((), ("--offline",)):
        rows = shell.verify(*offline)
        assert counts(rows) == alone
        assert [row["checkpoint"]["sha256"] for row in rows] == [*map(sha256, contents)]
        assert len({row["checkpoint"]["path"] for row in rows}) == 2
    for name, content in zip(NAMES, contents, strict=True):
        record = json.loads((shell.folder / "results" / "test" / f"{name}.json").read_text())
        assert record["accuracy"]["sha256"] == record["checkpoint"]["sha256"] == sha256(content)
        assert record["accuracy"]["correct1"] == alone[name]


@pytest.mark.parametrize("form", ["no hash", "hash"])
def test_one_after_the_other(shell, server, alone, contents, form):
    shell.write(*published(contents, form))
    for name in (*NAMES, *NAMES):
        assert counts(shell.verify(name)) == {name: alone[name]}
    assert len(server.requests) == 2


@pytest.mark.parametrize("form", ["no hash", "hash"])
def test_validate_and_diagnose(shell, alone, contents, form):
    shell.write(*published(contents, form))
    more = ("--data", shell.data, "--workers", "0")
    rows = shell.json("validate", "--all", *more, code=0)["models"]
    assert {row["name"]: row["correct1"] for row in rows} == alone
    for name in NAMES:
        found = shell.json("diagnose", name, "--observed", "50", *more)["diagnosis"]
        assert found["explanations"]
        counted = {e["name"]: e["correct"] for e in found["explanations"]}
        assert alone[name] in counted.values()


def test_import_gives_each_model_its_own_file(shell, server, alone, contents, tmp_path):
    shell.write(*map(sha256, contents))
    for folder, content in zip("ab", contents, strict=True):
        (tmp_path / "mine" / folder).mkdir(parents=True)
        (tmp_path / "mine" / folder / "model.pth").write_bytes(content)
    shell.run("import", tmp_path / "mine", code=0)
    assert counts(shell.verify("--offline")) == alone
    assert not server.requests


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("kind", ["folder", "server"])
def test_a_mirror_that_serves_one_of_them_under_the_base_name(
    shell, server, alone, contents, tmp_path, which, kind
):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "model.pth").write_bytes(contents[which])
    server.put("/mirror/model.pth", contents[which])
    mirror = {"folder": tmp_path / "mirror", "server": f"{server.url}/mirror"}[kind]
    for form in ("no hash", "hash"):
        shell.cache = tmp_path / form
        shell.write(*published(contents, form))
        assert counts(shell.verify("--mirror", mirror)) == alone


def test_what_torch_hub_put_under_the_base_name_is_found_by_its_hash(
    shell, server, alone, contents
):
    shell.cache.mkdir()
    (shell.cache / "model.pth").write_bytes(contents[1])
    shell.write(*map(sha256, contents))
    assert counts(shell.verify()) == alone
    assert [r.path for r in server.requests] == ["/van-a/model.pth"]
    assert (shell.cache / "model.pth").read_bytes() == contents[1]
    listed = shell.json("list")["models"]
    assert [model["in_cache"] for model in listed] == [True, True]


def test_without_a_hash_a_file_under_the_base_name_is_not_taken(shell, server, alone, contents):
    shell.cache.mkdir()
    (shell.cache / "model.pth").write_bytes(contents[1])
    shell.write()
    first, second = shell.verify("--offline", code=3)
    for row in (first, second):
        assert row["checkpoint"]["status"] == "missing"
        assert "nothing shows that it is this file" in row["checkpoint"]["reason"]
    assert counts(shell.verify()) == alone
    assert (shell.cache / "model.pth").read_bytes() == contents[1]


def test_entries_with_one_url_share_one_file(shell, server, contents):
    """Also where only one of them has the hash."""
    shell.claims[1].url = shell.claims[0].url
    shell.claims[1].model = shell.claims[0].model
    for digests in ((), (sha256(contents[0]),)):
        shell.write(*digests)
        first, second = shell.verify(code=0)
        assert first["checkpoint"]["path"] == second["checkpoint"]["path"]
        assert first["checkpoint"]["status"] == second["checkpoint"]["status"]
        assert first["top1"]["correct"] == second["top1"]["correct"] == 13
    assert len(server.requests) == 2
