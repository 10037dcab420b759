"""Several zoos as one: ``--zoo all``. A model is called ``ZOO/ARCH.TAG`` there."""

from collections.abc import Sequence
from pathlib import Path

from vanbench.zoo.entries import Zoo, in_zoo

ALL = "all"
LEFT_OUT = ("demo", "torchvision")  # no published numbers of VAN


def combine(zoos: Sequence[Zoo], path: Path) -> Zoo:
    """One zoo that has the models of all; each keeps the source of its own figures."""
    return Zoo(
        name=ALL,
        title="All shipped zoos of published figures",
        source="the sources of each zoo",
        path=path,
        entries=tuple(in_zoo(zoo.name, entry) for zoo in zoos for entry in zoo.entries),
        parts=tuple(zoos),
    )


def home(zoo: str, model: str) -> tuple[str, str]:
    """The zoo and the name under which a model is recorded.

    >>> home("all", "authors/van_b0.in1k"), home("mine", "my_van.best")
    (('authors', 'van_b0.in1k'), ('mine', 'my_van.best'))
    """
    own, slash, name = model.rpartition("/")
    return (own, name) if slash else (zoo, model)
