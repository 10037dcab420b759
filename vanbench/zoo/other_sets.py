"""Further test sets for networks with the classes of ImageNet-1k, by the rules of their authors.

They have other images than the validation set of ImageNet-1k, or other labels for them. An accuracy
over one of them is a number of its own: no claim about ImageNet-1k is judged by it.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

REAL = "imagenet_real"
"""The key of ReaL, which has labels of its own for the images of ImageNet-1k."""


@dataclass(frozen=True)
class OtherSet:
    """A published test set. ``key`` is its name in zoo files, records and JSON, ``title`` in texts.

    ``images`` are how many count when it is complete, ``per_class`` how many each class has, None
    where that differs. With a ``listing`` the set has a part of the classes, and a prediction is
    the best of these: the other logits are left out before the first choices are taken. ``source``
    is the paper, ``definition`` where the rule is from.
    """

    key: str
    title: str
    images: int
    source: str
    definition: str
    per_class: int | None = None
    listing: str = ""

    @property
    def class_ids(self) -> tuple[str, ...] | None:
        """The WordNet ids among which a prediction is chosen, sorted; None for all 1,000."""
        return _listed(self.listing) if self.listing else None


@cache
def _listed(name: str) -> tuple[str, ...]:
    return tuple((files("vanbench") / "zoo" / name).read_text(encoding="ascii").split())


def _v2(key: str, variant: str) -> OtherSet:
    """10 images of each class. The folders are the class numbers 0 to 999, which are the labels."""
    return OtherSet(
        key=f"imagenet_v2_{key}",
        title=f"ImageNet-V2 {variant}",
        images=10_000,
        per_class=10,
        source="Recht et al. 2019, https://arxiv.org/abs/1902.10811",
        definition="https://github.com/modestyachts/ImageNetV2_pytorch",
    )


OTHER_SETS = {
    one.key: one
    for one in (
        _v2("matched_frequency", "matched-frequency"),
        _v2("threshold", "threshold-0.7"),
        _v2("top_images", "top-images"),
        # A first choice is right if it is one of the labels; images without labels are left out.
        OtherSet(
            key=REAL,
            title="ImageNet-ReaL",
            images=46_837,
            source="Beyer et al. 2020, https://arxiv.org/abs/2006.07159",
            definition="https://github.com/google-research/reassessed-imagenet",
        ),
        OtherSet(
            key="imagenet_a",
            title="ImageNet-A",
            images=7_500,
            source="Hendrycks et al. 2021, https://arxiv.org/abs/1907.07174",
            definition="https://github.com/hendrycks/natural-adv-examples (eval.py)",
            listing="imagenet_a.txt",
        ),
        OtherSet(
            key="imagenet_r",
            title="ImageNet-R",
            images=30_000,
            source="Hendrycks et al. 2021, https://arxiv.org/abs/2006.16241",
            definition="https://github.com/hendrycks/imagenet-r (eval.py)",
            listing="imagenet_r.txt",
        ),
        OtherSet(
            key="imagenet_sketch",
            title="ImageNet-Sketch",
            images=50_889,
            source="Wang et al. 2019, https://arxiv.org/abs/1905.13549",
            definition="https://github.com/HaohanWang/ImageNet-Sketch",
        ),
    )
}
"""The sets by key. The classes of -A and -R are those of the authors' scripts."""


def title_of(key: str) -> str:
    """What a set is called; a key that is not known (of a later version) as it is."""
    return OTHER_SETS[key].title if key in OTHER_SETS else key
