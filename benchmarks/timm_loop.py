"""What timm's ``validate.py --channels-last`` does, with its other options at their defaults.

``python -m benchmarks.timm_loop CHECKPOINT FOLDER`` prints Top-1 over class folders. It runs in an
environment with timm, which is no dependency: its loader reads the images, the model is the plain
one, whose operations are those of the authors' code.
"""

import sys
from importlib import import_module
from typing import Any

import torch

from vanbench.checkpoints.load import load_model

BATCH, WORKERS, CROP = 256, 4, 0.9
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@torch.inference_mode()
def main(checkpoint: str, folder: str) -> None:
    """Validate as timm does."""
    data: Any = import_module("timm.data")
    utils: Any = import_module("timm.utils")
    model = load_model(checkpoint).to(memory_format=torch.channels_last)
    images = data.create_dataset("", root=folder)
    loader = data.create_loader(
        images,
        input_size=(3, 224, 224),
        batch_size=BATCH,
        use_prefetcher=False,
        interpolation="bicubic",
        mean=MEAN,
        std=STD,
        num_workers=WORKERS,
        crop_pct=CROP,
        pin_memory=False,
    )
    top1 = utils.AverageMeter()
    for batch, labels in loader:
        logits = model(batch.contiguous(memory_format=torch.channels_last))
        right = utils.accuracy(logits, labels, topk=(1, 5))[0]
        top1.update(right.item(), len(batch))
    print(f"Top-1 {top1.avg:.2f} over {top1.count} images")


if __name__ == "__main__":
    main(*sys.argv[1:])
