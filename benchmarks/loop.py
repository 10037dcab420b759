"""What one would write without vanbench: a DataLoader with two workers and the plain model.

``python -m benchmarks.loop CHECKPOINT FOLDER`` prints Top-1 over class folders.
"""

import sys

import torch
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from vanbench.checkpoints.load import load_model

TRANSFORM = transforms.Compose(
    [
        transforms.Resize(248, transforms.InterpolationMode.BICUBIC),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    ]
)


@torch.inference_mode()
def main(checkpoint: str, folder: str) -> None:
    """Validate in the plain way, channels-last."""
    model = load_model(checkpoint).to(memory_format=torch.channels_last)
    images = ImageFolder(folder, TRANSFORM)
    correct = 0
    for batch, labels in DataLoader(images, batch_size=32, num_workers=2):
        logits = model(batch.contiguous(memory_format=torch.channels_last))
        correct += int((logits.argmax(1) == labels).sum())
    print(f"Top-1 {100 * correct / len(images):.2f} over {len(images)} images")


if __name__ == "__main__":
    main(*sys.argv[1:])
