"""Models from numbers, and the numbers of tensors."""

import re

import pytest
import torch

import vanbench
from tests.support.forge import tiny_state
from tests.support.models import TINY, randomized
from vanbench import create_model
from vanbench.checkpoints.key_names import FORMATS, OPENMMLAB, from_native, to_native
from vanbench.errors import CheckpointError, UnknownModelError
from vanbench.model.architecture import ARCHITECTURES, Architecture
from vanbench.model.build import architecture_of, build, random_weights, read_architecture

every_format = pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.name)


@pytest.mark.parametrize("name", ["van_b0", "VAN-B0", "van-b0"])
def test_create_model(name):
    model = vanbench.create_model(name, num_classes=7)
    assert architecture_of(model).name == "van_b0"
    assert architecture_of(model).num_classes == 7


def test_create_model_of_an_unknown_name():
    with pytest.raises(
        UnknownModelError, match=f"The published ones are {', '.join(ARCHITECTURES)}"
    ):
        vanbench.create_model("van_b7")


def test_create_model_takes_any_spelling_and_head():
    assert create_model("VAN-B0", num_classes=7).head.out_features == 7


def test_a_stage_without_tensors():
    native = {k: v for k, v in randomized().state_dict().items() if not k.startswith("stages.2")}
    with pytest.raises(CheckpointError, match=r"no tensors of stages\.2"):
        read_architecture(native)


@pytest.mark.parametrize(("name", "known"), [("van-tiny", "van_b0"), ("VAN-Large", "van_b3")])
def test_older_names(name, known):
    assert architecture_of(create_model(name, num_classes=1)).name == known


NUMBERS = {"embed_dims": [8, 8, 16, 16], "depths": [1, 1, 2, 1]}


def test_create_model_of_an_architecture_of_ones_own():
    own = Architecture((8, 8, 16, 16), (1, 1, 2, 1))
    assert architecture_of(create_model(architecture=own)) == own
    assert architecture_of(create_model(architecture=NUMBERS)) == own
    small = create_model(architecture={**NUMBERS, "mlp_ratios": (2, 2, 2, 2), "num_classes": 3})
    assert architecture_of(small) == Architecture((8, 8, 16, 16), (1, 1, 2, 1), (2, 2, 2, 2), 3)
    assert create_model(num_classes=5, architecture=NUMBERS).head.out_features == 5
    features = create_model(num_classes=0, architecture=NUMBERS).eval()(torch.zeros(1, 3, 32, 32))
    assert features.shape == (1, 16)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ValueError, "expected a name or an architecture, and not both"),
        ({"name": "van_b0", "architecture": NUMBERS}, ValueError, "and not both"),
        ({"name": "van_b0", "num_classes": -1}, ValueError, "num_classes: .* from 0, found -1"),
        ({"name": "van_b0", "num_classes": 10**9}, ValueError, "too large: a number of classes"),
        ({"name": "VAN-Tny"}, UnknownModelError, "found 'VAN-Tny'. Did you mean van_tiny?"),
        ({"architecture": "van_b0"}, TypeError, "expected an Architecture or a mapping"),
        ({"architecture": {"depths": [1] * 4}}, ValueError, "missing key embed_dims"),
        ({"architecture": NUMBERS | {"depth": 1}}, ValueError, "unknown key 'depth'; the keys are"),
        ({"architecture": NUMBERS | {"depths": [1, 2]}}, ValueError, "depths: expected four"),
        ({"architecture": NUMBERS | {"depths": [1, 2, 3, 0]}}, ValueError, "from 1, found 0"),
        ({"architecture": NUMBERS | {"depths": [1, 2, 3, 1.0]}}, ValueError, r"found 1\.0"),
        ({"architecture": NUMBERS | {"depths": [1, 2, 3, True]}}, ValueError, "found True"),
        ({"architecture": Architecture((8, 8), (1, 1))}, ValueError, "embed_dims: expected four"),
        ({"architecture": NUMBERS | {"depths": [999] * 4}}, ValueError, "a depth of 999"),
    ],
)
def test_arguments_that_make_no_model(arguments, error, message):
    with pytest.raises(error, match=message):
        create_model(**arguments)


def stretched(tensor, length):
    """A tensor with this length in its first dimension, which repeats one stored number."""
    return torch.zeros(1).expand(length, *tensor.shape[1:])


@pytest.mark.parametrize(
    ("pattern", "length", "message"),
    [
        (r"stages\.1\..*", 10**12, "a width of 1,000,000,000,000, and the limit is 4,096"),
        (
            r"stages\.1\..*mlp\.(fc1|depthwise)\.bias",
            10**6,
            "an MLP ratio of 83,333, and the limit",
        ),
        (r"head\.weight", 10**9, "a number of classes of 1,000,000,000, and the limit"),
    ],
)
def test_shapes_that_no_van_has(pattern, length, message):
    state = randomized().state_dict()
    odd = {k: stretched(v, length) for k, v in state.items() if re.fullmatch(pattern, k) and v.ndim}
    with pytest.raises(CheckpointError, match=f"too large for a VAN: {message}"):
        read_architecture(state | odd)


def test_a_stage_of_thousands_of_blocks():
    blocks = {f"stages.2.blocks.{i}.scale1": torch.zeros(16) for i in range(1000)}
    with pytest.raises(CheckpointError, match="a depth of 1,000, and the limit is 256"):
        read_architecture(randomized().state_dict() | blocks)


def test_a_head_that_is_a_single_number():
    native = randomized().state_dict() | {"head.weight": torch.tensor(1.0)}
    assert read_architecture(native).num_classes == 0


@every_format
@pytest.mark.parametrize("num_classes", [0, 10, 21841])
def test_the_architecture_is_read_from_the_shapes(fmt, num_classes):
    architecture = Architecture(TINY.embed_dims, TINY.depths, TINY.mlp_ratios, num_classes)
    native, _ = to_native(tiny_state(fmt, architecture), fmt)
    assert read_architecture(native) == architecture


@pytest.mark.parametrize("width", [384, 480])
def test_which_b6_a_file_holds(width):
    architecture = Architecture((96, 192, width, 768), (6, 6, 90, 6))
    with torch.device("meta"):
        state = from_native(build(architecture).state_dict(), OPENMMLAB)
    native, _ = to_native(state, OPENMMLAB)
    assert read_architecture(native) == architecture
    assert read_architecture(native).name == ("van_b6" if width == 384 else "custom")


def test_no_random_weight_is_at_its_initial_value():
    for name, tensor in random_weights(TINY).state_dict().items():
        assert name.endswith("num_batches_tracked") or tensor.unique().numel() > 1, name


def test_random_weights_depend_on_the_seed_alone():
    first = random_weights(TINY).state_dict()
    torch.manual_seed(3)
    torch.set_default_dtype(torch.float64)
    try:
        again = random_weights(TINY).state_dict()
    finally:
        torch.set_default_dtype(torch.float32)
    other = random_weights(TINY, seed=1).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert all(first[key].dtype == again[key].dtype for key in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])
