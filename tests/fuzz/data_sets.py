"""Images, archives of images, and lists of labels."""

import io
import json
from pathlib import Path
from typing import Any

from PIL import Image

from tests.fuzz.kind import Kind
from tests.fuzz.mutators import any_bytes, csv_cell, json_value, list_line, tar_header, within_gzip
from tests.support import drawing
from tests.support.arranged import picture
from vanbench.data.decode import check_header, decode
from vanbench.data.inspect import inspect
from vanbench.data.open import open_images
from vanbench.data.preprocess import to_pixels
from vanbench.zoo.class_ids import VALIDATION_IMAGES, imagenet_1k
from vanbench.zoo.entries import EvaluationProtocol

IMAGES = 10


def _pictures() -> list[drawing.Picture]:
    return drawing.pictures(1, imagenet_1k()[:IMAGES])


def _jpeg(folder: Path) -> list[Path]:
    images = {
        "exif": picture(3),
        "grey": picture(5),
        "plain": drawing.jpeg(1, (60, 40)),
        "progressive": drawing.jpeg(2, (60, 40), progressive=True),
    }
    cmyk = io.BytesIO()
    Image.new("CMYK", (40, 30), (10, 20, 30, 40)).save(cmyk, "JPEG")
    for name, content in (images | {"cmyk": cmyk.getvalue()}).items():
        (folder / f"{name}.jpeg").write_bytes(content)
    return sorted(folder.iterdir())


def _png(folder: Path) -> list[Path]:
    source = Image.open(io.BytesIO(drawing.jpeg(1, (40, 30))))
    for mode in ("RGB", "RGBA", "P", "L", "1", "I;16"):
        name = mode.replace(";", "")
        source.convert("L" if mode == "I;16" else mode).convert(mode).save(folder / f"{name}.png")
    source.save(folder / "x.webp")
    source.save(folder / "x.gif")
    source.save(folder / "x.bmp")
    source.save(folder / "x.tiff", compression="tiff_lzw")
    return sorted(folder.iterdir())


def _read_image(folder: Path, path: Path) -> Any:
    encoded = path.read_bytes()
    size = check_header(encoded)
    return size, hash(to_pixels(decode(encoded), EvaluationProtocol()).numpy().tobytes())


def _read_set(folder: Path, path: Path) -> Any:
    """What a validation reads: labels and names, and every image, decoded."""
    images = open_images(folder / "data", tuple(imagenet_1k()))
    report = inspect(images, decode=True, workers=2)
    report.as_json()
    real = report.real and sorted((i, sorted(labels)) for i, labels in report.real.of.items())
    return (images.layout, real, images.names, images.labels, report.fingerprint, report.verdict)


def _tar(folder: Path) -> list[Path]:
    data = folder / "data"
    data.mkdir()
    samples = _pictures()
    drawing.write_tar(data / "ILSVRC2012_img_val.tar", [(p.name, p.encoded) for p in samples])
    index = imagenet_1k().index
    (data / "val.txt").write_text("".join(f"{p.name} {index(p.wnid)}\n" for p in samples))
    return [data / "ILSVRC2012_img_val.tar"]


def _webdataset(folder: Path) -> list[Path]:
    drawing.webdataset(folder / "data", _pictures(), shards=1)
    return list((folder / "data").iterdir())


def _parquet(folder: Path) -> list[Path]:
    drawing.parquet(folder / "data", _pictures(), shards=1, group=4)
    return list((folder / "data").rglob("*.parquet"))


def _val_txt(folder: Path) -> list[Path]:
    drawing.flat_with_val_txt(folder / "data", _pictures())
    return [folder / "data" / "val.txt"]


def _kaggle(folder: Path) -> list[Path]:
    drawing.kaggle(folder / "data", _pictures())
    return [folder / "data" / "LOC_val_solution.csv"]


def _devkit(folder: Path) -> list[Path]:
    drawing.original_tar(folder / "data", _pictures())
    return list((folder / "data").glob("*.tar.gz"))


def _real_json(folder: Path) -> list[Path]:
    drawing.class_folders(folder / "data", _pictures())
    labels = [[label] for label in range(1000)] * (VALIDATION_IMAGES // 1000)
    (folder / "data" / "real.json").write_text(json.dumps(labels))
    return [folder / "data" / "real.json"]


KINDS = {
    "jpeg": Kind(_jpeg, _read_image),
    "other-image": Kind(_png, _read_image),
    "tar": Kind(_tar, _read_set, (tar_header,)),
    "webdataset": Kind(_webdataset, _read_set, (tar_header,)),
    "parquet": Kind(_parquet, _read_set),
    "val.txt": Kind(_val_txt, _read_set, (list_line,)),
    "kaggle-csv": Kind(_kaggle, _read_set, (csv_cell,)),
    "real.json": Kind(_real_json, _read_set, (json_value,)),
    "devkit": Kind(_devkit, _read_set, (within_gzip(tar_header), within_gzip(any_bytes))),
}
