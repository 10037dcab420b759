"""Every document that a command prints with --json satisfies the command's shipped schema."""

import importlib.util
import json
from importlib.resources import files
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from tests.docs.sandbox import METAFILE
from tests.support.command_line import DEMO_IMAGES, ROOT, demo_checkpoint, run
from vanbench.cli.group import COMMANDS, main
from vanbench.zoo.reader import load_zoo

DEMO = ("--zoo", "demo")
IMAGES = ("--data", DEMO_IMAGES, "--workers", 0)


def load_tool():
    """The module tools/write_schemas.py."""
    spec = importlib.util.spec_from_file_location("write_schemas", ROOT / "tools/write_schemas.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = load_tool()
SCHEMAS = {path.stem: json.loads(path.read_text("utf-8"))
           for path in Path(str(files("vanbench") / "schemas")).glob("*.json")
           if path.stem != "zoo"}  # fmt: skip
"""Those of the commands; tests/zoo/test_file_keys.py is about that of the zoo file."""


WORDS = {"zoo-import": ("zoo", "import"), "zoo-check": ("zoo", "check")}


def check(command, *arguments, code=0, env=None):
    """The document that a command prints; it must satisfy the schema."""
    words = [str(word) for word in (*WORDS.get(command, (command,)), *arguments, "--json")]
    outcome = CliRunner().invoke(main, words, env=env)
    assert outcome.exit_code == code, outcome.output
    document = json.loads(outcome.stdout)
    Draft202012Validator(SCHEMAS[command]).validate(document)
    return document


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a cache, and results with two stored runs."""
    folder = tmp_path_factory.mktemp("place")
    command = ["validate", "--all", *DEMO, *IMAGES, "--limit", 40, "-q"]
    common = ["--cache", folder / "cache", "--results", folder / "results"]
    outcome = CliRunner().invoke(main, [str(word) for word in (*command, *common)])
    assert outcome.exit_code == 0, outcome.output
    return folder


def shared(place):
    return ("--cache", place / "cache", "--results", place / "results")


def case_list(place):
    check("list", *shared(place))
    check("list", *DEMO, *shared(place))
    check("list", "--zoo", "torchvision", *shared(place))


def case_download(place):
    check("download", "--all", *DEMO, *shared(place))
    check("download", "van_b0", "--offline", *shared(place), code=3)


def case_import(place):
    check("import", DEMO_IMAGES.parent, *DEMO, *shared(place))
    check("import", place / "results", "--cache", place / "none", code=3)


def case_flops(place):
    check("flops", "--all", *DEMO)
    check("flops", "van_b6", "--resolution", 32)
    check("flops", "squeezenet1_1", "--zoo", "torchvision")


def case_validate(place):
    check("validate", "--all", *DEMO, *IMAGES, "--limit", 20, *shared(place))
    check("validate", "--checkpoint", demo_checkpoint(), *DEMO, *IMAGES, *shared(place), code=0)
    check("validate", "van_b0", *IMAGES, "--offline", *shared(place), code=3)


def case_claims(place):
    check("claims", "van_b0", *shared(place))
    check("claims", "--zoo", "openmmlab", *shared(place))


def case_bench(place):
    options = ("--batch-size", 2, "--seconds", 0, "--results", place / "results")
    check("bench", "van_nano", *DEMO, *options)
    check("bench", "squeezenet1_1", "--zoo", "torchvision", *options)


def case_compare_models(place):
    check("compare-models", "--results", place / "results")
    check("compare-models", "--csv", place / "models.csv", "--charts", place / "charts")


def case_data(place):
    check("data", DEMO_IMAGES, *DEMO)
    check("data", place, *DEMO, code=3)


def case_predictions(place):
    check("predictions", *shared(place))


def case_compare(place):
    check("compare", 1, 1, *shared(place))
    check("compare", 1, 2, *shared(place), code=1)


def case_diagnose(place):
    check("diagnose", "van_nano", *DEMO, *IMAGES, "--sample", 10, *shared(place))


def case_export(place):
    check("export", "van_nano", place / "van.onnx", *DEMO, *shared(place))
    check("export", "van_nano", place / "van.xml", *DEMO, *shared(place), "--with-normalization")
    check("export", "van_nano", place / "van.xml", *DEMO, *shared(place), code=3)


def case_convert(place):
    check("convert", demo_checkpoint(), place / "out.safetensors")
    check("convert", demo_checkpoint(), place / "out.safetensors", code=3)


def case_compare_weights(place):
    micro = next(demo_checkpoint().parent.glob("van-micro*.pth"))
    check("compare-weights", demo_checkpoint(), demo_checkpoint())
    check("compare-weights", demo_checkpoint(), micro, code=1)


def case_hash(place):
    check("hash", demo_checkpoint())
    check("hash", place / "none", code=3)


def case_zoo_import(place):
    path = place / "metafile.yml"
    path.write_text(METAFILE)
    document = check("zoo-import", path)
    assert [model["name"] for model in document["models"]] == ["van_b0.in1k"]
    check("zoo-import", path, "-o", place / "imported.toml")
    check("zoo-import", place / "none.yml", code=2)


def case_zoo_check(place):
    assert check("zoo-check", "openmmlab")["safe"]
    path = place / "wrong.toml"
    path.write_text("schema = 2\n")
    assert not check("zoo-check", path, code=2)["usable"]
    text = Path(load_zoo("openmmlab").path).read_text("utf-8").replace("-385941af", "")
    path.write_text(text, encoding="utf-8")
    safe = {m["name"]: m["safe"] for m in check("zoo-check", path, code=1)["models"]}
    assert not safe.pop("van_b0.in1k")
    assert all(safe.values())


def case_verify(place):
    check("verify", "van_b0", "--offline", *shared(place), code=3)
    command = ("verify", "--all", *DEMO, *IMAGES, "--cache", place / "cache", "--limit", 40)
    partial = check(*command, "--results", place / "other")
    assert {model["top1"]["verdict"] for model in partial["models"]} == {"partial"}
    assert partial["data"]["used"] == 40


def case_table(place):
    document = check("table", *shared(place))
    assert document["zoo"] == "openmmlab"


def case_audit(place):
    results = ("--results", place / "audited")
    check("audit", *results)
    run("verify", "van_nano", *DEMO, *IMAGES, "-q", "--cache", place / "cache", *results)
    (found,) = check("audit", *results, "--sample", 3)["records"]
    assert found["accuracies"][0]["sample"]["images"] == 3
    record = place / "audited/demo/van_nano.digits.json"
    record.write_text(record.read_text().replace('"correct1": 345', '"correct1": 346'))
    assert check("audit", *results, code=1)["records"][0]["accuracies"][0]["findings"]
    record.write_text("{}")
    assert check("audit", *results, code=1)["records"][0]["problem"]


def case_report(place):
    check("report", "-o", place / "page.html", *shared(place))


CASES = {name.removeprefix("case_").replace("_", "-"): case
         for name, case in list(globals().items()) if name.startswith("case_")}  # fmt: skip


@pytest.mark.parametrize("command", CASES)
def test_the_documents_of_a_command_satisfy_its_schema(command, place):
    CASES[command](place)


def test_every_schema_has_a_case():
    assert SCHEMAS.keys() == CASES.keys()


def test_every_command_has_a_schema():
    groups = {"zoo"}
    assert COMMANDS.keys() - groups | WORDS.keys() == SCHEMAS.keys()


@pytest.mark.parametrize("command", sorted(SCHEMAS))
def test_a_failure_satisfies_the_schema(command):
    document = check(command, "--no-such-option", code=2)
    assert document["models"] == []
    assert document["error"]["kind"] == "usage"


def test_the_generated_files_are_up_to_date():
    assert TOOL.differences() == ""


@pytest.mark.parametrize("command", sorted(SCHEMAS))
def test_every_key_has_a_description_and_no_object_takes_others(command):
    def look(schema, place):
        for key, value in schema.items() if isinstance(schema, dict) else ():
            if key == "properties":
                assert schema["additionalProperties"] is False, place
                for name, inner in value.items():
                    assert inner.get("description"), f"{place}.{name}"
            for number, inner in enumerate(value if isinstance(value, list) else [value]):
                look(inner, f"{place}.{key}[{number}]")

    look(SCHEMAS[command], command)
    Draft202012Validator.check_schema(SCHEMAS[command])
