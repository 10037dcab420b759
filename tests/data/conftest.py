"""Pictures with official names, as most tests of data sets need them."""

import pytest

from tests.support import drawing
from tests.support.drawing import imagenet_1k


@pytest.fixture(scope="session")
def two_of_each():
    """Two pictures of each class."""
    return drawing.pictures(per_class=2)


@pytest.fixture(scope="session")
def few():
    """Three pictures of each of four classes whose labels are far apart."""
    ids = imagenet_1k()
    return drawing.pictures(per_class=3, classes=(ids[0], ids[217], ids[482], ids[999]))
