"""The MAT-file reader against SciPy's writer."""

import io

import numpy as np
import pytest
import scipy.io

from vanbench.data.layouts.devkit import read_synsets
from vanbench.data.layouts.matfile import read_mat


def written(compress=False, **variables):
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, variables, do_compression=compress)
    return buffer.getvalue()


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("kind", ["u1", "i1", "<u2", "<i2", "<i4", "<u4", "<f4", "<f8", "<i8"])
def test_numbers_come_in_column_order(compress, kind):
    values = np.array([[1, 2, 3], [4, 5, 6]], dtype=kind)
    assert read_mat(written(compress, x=values))["x"] == [1, 4, 2, 5, 3, 6]


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("text", ["a", "four", "kit fox, Vulpes macrotis", "crème brûlée"])
def test_text(compress, text):
    assert read_mat(written(compress, x=text))["x"] == text


def test_cells_and_structs_nest():
    cell = np.empty((1, 2), dtype=object)
    cell[0, :] = ["ab", np.array([[7]])]
    assert read_mat(written(True, s={"c": cell, "n": 3}))["s"] == [{"c": ["ab", [7]], "n": [3]}]


def test_several_variables():
    assert read_mat(written(True, x=1, y="z")) == {"x": [1], "y": "z"}


@pytest.mark.parametrize("cut", [10, 150, 300])
def test_a_damaged_file_is_a_value_error(cut):
    data = written(True, x=np.random.default_rng(0).integers(0, 99, (30, 30)))
    with pytest.raises(ValueError, match="MAT-file"):
        read_mat(data[:cut])


def test_synsets_are_those_without_children():
    fields = [("ILSVRC2012_ID", object), ("WNID", object), ("num_children", object)]
    synsets = np.zeros((3, 1), dtype=fields)
    synsets[:, 0] = [(1, "n1", 0), (2, "n2", 0), (3, "n3", 2)]
    assert read_synsets(written(synsets=synsets)) == {1: "n1", 2: "n2"}
