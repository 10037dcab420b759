"""A small ImageNet: JPEGs with official names and labels, in every layout that people have.

Everything is deterministic: the same pictures, byte for byte, in each layout.
"""

import io
import json
import random
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from vanbench.data.layouts.devkit import GROUND_TRUTH
from vanbench.data.layouts.official import official_label, official_stem
from vanbench.zoo.class_ids import VALIDATION_IMAGES, imagenet_1k


@dataclass(frozen=True)
class Picture:
    """An encoded image with ILSVRC2012's name and class id."""

    name: str
    wnid: str
    encoded: bytes


def jpeg(seed: int, size: tuple[int, int] = (24, 20), **options) -> bytes:
    """A small JPEG of a colour and some noise; another seed gives another file."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    pixels[..., seed % 3] //= 4
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=60, **options)
    return buffer.getvalue()


def official_name(number: int) -> str:
    """The file name of validation image 1, 2, …"""
    return official_stem(number) + ".JPEG"


def pictures(per_class: int = 2, classes: Sequence[str] | None = None) -> list[Picture]:
    """A picture for each of the first validation images of each class, in order of their numbers."""
    left = dict.fromkeys(classes or imagenet_1k(), per_class)
    samples = []
    for number in range(1, VALIDATION_IMAGES + 1):
        name = official_name(number)
        wnid = imagenet_1k()[official_label(name)]
        if left.get(wnid):
            left[wnid] -= 1
            samples.append(Picture(name, wnid, jpeg(number)))
    return samples


def class_folders(root: Path, samples: Iterable[Picture]) -> Path:
    """``root/n01440764/ILSVRC2012_val_00000293.JPEG``."""
    for picture in samples:
        folder = root / picture.wnid
        folder.mkdir(parents=True, exist_ok=True)
        (folder / picture.name).write_bytes(picture.encoded)
    return root


def flat(root: Path, samples: Iterable[Picture]) -> Path:
    """All images in one folder, without labels."""
    root.mkdir(parents=True, exist_ok=True)
    for picture in samples:
        (root / picture.name).write_bytes(picture.encoded)
    return root


def flat_with_val_txt(root: Path, samples: Sequence[Picture], prefix: str = "") -> Path:
    """Images in ``root/val`` and ``root/val.txt``."""
    flat(root / "val", samples)
    index = imagenet_1k().index
    lines = (f"{prefix}{picture.name} {index(picture.wnid)}\n" for picture in samples)
    (root / "val.txt").write_text("".join(lines))
    return root


def kaggle(root: Path, samples: Sequence[Picture]) -> Path:
    """Kaggle's archive, unpacked."""
    flat(root / "ILSVRC/Data/CLS-LOC/val", samples)
    rows = (f"{p.name.removesuffix('.JPEG')},{p.wnid} 1 2 3 4 {p.wnid} 5 6 7 8 \n" for p in samples)
    (root / "LOC_val_solution.csv").write_text("ImageId,PredictionString\n" + "".join(rows))
    return root


def flat_with_devkit(root: Path, samples: Sequence[Picture]) -> Path:
    """Images in ``root/val`` and the devkit, unpacked."""
    flat(root / "val", samples)
    for name, content in devkit_files().items():
        path = root / "ILSVRC2012_devkit_t12" / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def original_tar(root: Path, samples: Sequence[Picture]) -> Path:
    """``ILSVRC2012_img_val.tar`` and the devkit, as published."""
    root.mkdir(parents=True, exist_ok=True)
    write_tar(root / "ILSVRC2012_img_val.tar", [(p.name, p.encoded) for p in samples])
    files = devkit_files()
    members = [(f"ILSVRC2012_devkit_t12/data/{name}", files[name]) for name in files]
    write_tar(root / "ILSVRC2012_devkit_t12.tar.gz", members, mode="w:gz")
    return root


def parquet(root: Path, samples: Sequence[Picture], shards: int = 3, group: int = 100) -> Path:
    """Shards as the Hugging Face hub keeps them: the images in another order than their names'."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    (root / "data").mkdir(parents=True, exist_ok=True)
    samples = random.Random(0).sample(samples, len(samples))
    feature = {"names": [f"word {i}" for i in range(1000)], "_type": "ClassLabel"}
    about = {"info": {"features": {"image": {"_type": "Image"}, "label": feature}}}
    for number in range(shards):
        part = samples[number::shards]
        images = [{"bytes": p.encoded, "path": p.name} for p in part]
        labels = [imagenet_1k().index(p.wnid) for p in part]
        table = pa.table({"image": images, "label": labels})
        table = table.replace_schema_metadata({"huggingface": json.dumps(about)})
        name = f"validation-{number:05d}-of-{shards:05d}.parquet"
        pq.write_table(table, root / "data" / name, row_group_size=group)
    return root


def webdataset(root: Path, samples: Sequence[Picture], shards: int = 3) -> Path:
    """Tars with ``.jpg`` and ``.cls`` (and a ``.json`` that is not needed) of each sample."""
    root.mkdir(parents=True, exist_ok=True)
    for number in range(shards):
        members = []
        for p in samples[number::shards]:
            key = p.name.removesuffix(".JPEG")
            members += [
                (f"{key}.jpg", p.encoded),
                (f"{key}.json", json.dumps({"filename": p.name}).encode()),
                (f"{key}.cls", str(imagenet_1k().index(p.wnid)).encode()),
            ]
        write_tar(root / f"imagenet1k-validation-{number:02d}.tar", members)
    return root


LAYOUTS = {
    "class folders": class_folders,
    "flat with val.txt": flat_with_val_txt,
    "flat with LOC_val_solution.csv": kaggle,
    "flat with ILSVRC2012_validation_ground_truth.txt": flat_with_devkit,
    "tar with ILSVRC2012_devkit_t12.tar.gz": original_tar,
    "Parquet shards": parquet,
    "WebDataset shards": webdataset,
}


def write_tar(path: Path, members: Iterable[tuple[str, bytes]], mode: str = "w") -> None:
    """A tar archive with these files."""
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def devkit_order() -> list[str]:
    """The WordNet id of class number 1, 2, … 1000: shuffled, as the real devkit's order seems."""
    return random.Random(2012).sample(imagenet_1k(), 1000)


@cache
def devkit_files() -> dict[str, bytes]:
    """The files that the devkit has under ``data``, numbering the classes in ``devkit_order``.

    The real ``meta.mat`` says which class each number is, in MATLAB's format. It is not read.
    """
    number = {wnid: i for i, wnid in enumerate(devkit_order(), 1)}
    truth = "".join(
        f"{number[imagenet_1k()[official_label(official_name(i))]]}\n"
        for i in range(1, VALIDATION_IMAGES + 1)
    )
    return {"meta.mat": b"not read", GROUND_TRUTH: truth.encode()}
