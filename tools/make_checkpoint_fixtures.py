"""Write the training checkpoints under tests/fixtures/ with the frameworks that they come from.

    pip install mmengine lightning timm
    python -m tools.make_checkpoint_fixtures

Each framework trains a tiny VAN for a few steps on random images and saves it in its own way. The
versions that wrote the committed files, and a digest of the weights that each framework holds in
memory, are in ``fixtures.json``; the tests compare what vanbench reads with those digests.
"""

import argparse
import copy
import json
import shutil
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import mmengine
import timm.utils
import torch
from lightning.pytorch.callbacks.weight_averaging import EMAWeightAveraging
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from tests.support.forge import digest
from vanbench.checkpoints.key_names import (
    NATIVE,
    OFFICIAL,
    OPENMMLAB,
    Format,
    translate,
)
from vanbench.model.architecture import Architecture
from vanbench.model.build import build

FIXTURES = Path(__file__).parents[1] / "tests" / "fixtures"
ARCHITECTURE = Architecture((2, 2, 4, 4), (1, 1, 1, 1), (2, 2, 2, 2), 3)
STEPS, BATCH, DECAY = 3, 2, 0.5


def images(count: int = STEPS * BATCH) -> list[tuple[Tensor, int]]:
    """Random images (3, 32, 32), and labels."""
    generator = torch.Generator().manual_seed(0)
    return [(torch.rand(3, 32, 32, generator=generator), i % 3) for i in range(count)]


def plant(module: nn.Module, naming: Format) -> None:
    """Give ``module`` the parameters and buffers of a tiny VAN, by the names of a code base."""
    torch.manual_seed(1)
    network = build(ARCHITECTURE)
    module.__dict__["network"] = network.to("meta")  # not a submodule: its names are not wanted
    trained = {name for name, _ in network.named_parameters()}
    for key, value in build(ARCHITECTURE).state_dict().items():
        *path, leaf = str(translate(key, NATIVE, naming)).split(".")
        owner = module
        for name in path:
            if name not in dict(owner.named_children()):
                owner.add_module(name, nn.Module())
            owner = owner.get_submodule(name)
        if key in trained:
            owner.register_parameter(leaf, nn.Parameter(value.clone()))
        else:
            owner.register_buffer(leaf, value.clone())
    module.__dict__["naming"] = naming


def logits(module: nn.Module, x: Tensor) -> Tensor:
    """The network's logits with the tensors that ``module`` holds under foreign names."""
    held = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    native = {str(translate(key, module.naming, NATIVE)): value for key, value in held.items()}
    return torch.func.functional_call(module.network, native, (x,))


class Net(nn.Module):
    """A tiny VAN under the names of the authors' code."""

    def __init__(self) -> None:
        super().__init__()
        plant(self, OFFICIAL)

    def forward(self, x: Tensor) -> Tensor:
        return logits(self, x)


class MmengineModel(BaseModel):
    """A tiny VAN under the names of OpenMMLab's code."""

    def __init__(self) -> None:
        super().__init__()
        plant(self, OPENMMLAB)

    def forward(self, inputs: Any, data_samples: Any = None, mode: str = "tensor") -> Any:
        found = logits(self, torch.stack(list(inputs)))
        if mode != "loss":
            return found
        return {"loss": F.cross_entropy(found, torch.as_tensor(data_samples))}


def write_mmengine(target: Path, folder: Path, hooks: list[dict[str, Any]]) -> dict[str, str]:
    """Train with mmengine's Runner, whose checkpoint holds a MessageHub."""
    runner = Runner(
        model=MmengineModel(),
        work_dir=str(folder),
        train_dataloader=DataLoader(images(), batch_size=BATCH),
        train_cfg={"by_epoch": True, "max_epochs": 1},
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.01}},
        param_scheduler={"type": "MultiStepLR", "milestones": [1, 2]},
        default_hooks={"checkpoint": {"type": "CheckpointHook", "interval": 1}},
        custom_hooks=hooks,
        experiment_name=target.stem,
        log_level="ERROR",
    )
    runner.train()
    shutil.copy(folder / "epoch_1.pth", target)
    found = {"plain": runner.model.state_dict()}
    for hook in runner.hooks:
        if isinstance(hook, mmengine.hooks.EMAHook):
            found["ema"] = hook.ema_model.module.state_dict()
    return {name: digest(state) for name, state in found.items()}


class LightningNet(lightning.LightningModule):
    """A tiny VAN in the attribute ``model``, as usual there."""

    def __init__(self, lr: float = 0.01, data: Path = Path("imagenet")) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model = Net()

    def training_step(self, batch: Any, _: int) -> Tensor:
        loss = F.cross_entropy(self.model(batch[0].to(self.dtype)), batch[1])
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.01)
        return [optimizer], [torch.optim.lr_scheduler.MultiStepLR(optimizer, [1, 2])]


def write_lightning(target: Path, folder: Path, precision: Any, *, ema: bool) -> dict[str, str]:
    """Train with Lightning's Trainer."""
    averaging = EMAWeightAveraging(decay=DECAY)
    keep = lightning.callbacks.ModelCheckpoint(dirpath=folder, monitor="loss", filename="best")
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", precision=precision, default_root_dir=folder, logger=False,
        callbacks=[keep, averaging] if ema else [keep],
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    module = LightningNet()
    trained: dict[str, nn.Module] = {}

    class Remember(lightning.Callback):
        """The weights as they are when the checkpoint is written."""

        def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: Any) -> None:
            trained["plain"] = copy.deepcopy(pl_module.model)
            if ema:
                trained["ema"] = copy.deepcopy(averaging._average_model.module.model)

    trainer.callbacks.append(Remember())
    trainer.fit(module, DataLoader(images(), batch_size=BATCH))
    shutil.copy(folder / "best.ckpt", target)
    return {name: digest(found.state_dict()) for name, found in trained.items()}


def trained_net(average: Any = None, momentum: float = 0.0) -> tuple[Net, torch.optim.Optimizer]:
    """A network after a few plain steps; ``average`` is updated after each."""
    net = Net().train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=momentum)
    for x, label in images():
        optimizer.zero_grad()
        F.cross_entropy(net(torch.stack([x, x.flip(1)])), torch.tensor([label] * 2)).backward()
        optimizer.step()
        if average is not None:
            average(net)
    return net, optimizer


def write_timm(target: Path, folder: Path, dtype: torch.dtype) -> dict[str, str]:
    """Save with timm's CheckpointSaver: Namespace, optimizer state, scaler and EMA."""
    ema = timm.utils.ModelEmaV3(Net(), decay=DECAY)
    net, optimizer = trained_net(ema.update, momentum=0.9 if dtype == torch.float32 else 0)
    scaler = timm.utils.NativeScaler(device="cpu")
    args = argparse.Namespace(model="van_b0", lr=0.01, opt_betas=None, mean=(0.5, 0.5, 0.5))
    net, ema.module = net.to(dtype), ema.module.to(dtype)
    saver = timm.utils.CheckpointSaver(
        net, optimizer, args, ema, scaler, checkpoint_dir=str(folder), recovery_dir=str(folder)
    )
    saver.save_checkpoint(0, metric=75.4)
    shutil.copy(folder / "checkpoint-0.pth.tar", target)
    return {"plain": digest(net.state_dict()), "ema": digest(ema.module.state_dict())}


def write_compiled(target: Path, _: Path) -> dict[str, str]:
    """Save the state dict of a compiled module, as a training script does."""
    net, _ = trained_net()
    torch.save({"net": torch.compile(net).state_dict(), "acc": 75.4, "epoch": 199}, target)
    return {"plain": digest(net.state_dict())}


def write_averaged(target: Path, _: Path) -> dict[str, str]:
    """Save torch's AveragedModel beside the module of a DataParallel."""
    average = AveragedModel(Net(), multi_avg_fn=get_ema_multi_avg_fn(DECAY), use_buffers=True)
    net, optimizer = trained_net(average.update_parameters)
    parallel = nn.DataParallel(net)
    content = {
        "model": parallel.state_dict(),
        "model_ema": average.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    torch.save(content, target)
    return {"plain": digest(net.state_dict()), "ema": digest(average.module.state_dict())}


EMA_HOOK = {"type": "EMAHook", "momentum": 1 - DECAY, "begin_iter": 0}
WRITERS: dict[str, Any] = {
    "mmengine.pth": lambda t, f: write_mmengine(t, f, []),
    "mmengine-ema.pth": lambda t, f: write_mmengine(t, f, [EMA_HOOK]),
    "lightning.ckpt": lambda t, f: write_lightning(t, f, 32, ema=False),
    "lightning-bf16.ckpt": lambda t, f: write_lightning(t, f, "bf16-true", ema=False),
    "lightning-ema.ckpt": lambda t, f: write_lightning(t, f, 32, ema=True),
    "timm.pth.tar": lambda t, f: write_timm(t, f, torch.float32),
    "timm-fp16.pth.tar": lambda t, f: write_timm(t, f, torch.float16),
    "torch-compile.pth": write_compiled,
    "torch-averaged.pth": write_averaged,
}


def main() -> None:
    """Write all files and their digests."""
    warnings.simplefilter("ignore")
    FIXTURES.mkdir(exist_ok=True)
    digests = {}
    for name, write in WRITERS.items():
        with tempfile.TemporaryDirectory() as folder:
            digests[name] = write(FIXTURES / name, Path(folder))
        print(f"{name}: {(FIXTURES / name).stat().st_size:,} bytes")
    packages = ("mmengine", "lightning", "timm", "torch", "numpy")
    document = {"versions": {name: version(name) for name in packages}, "digests": digests}
    (FIXTURES / "fixtures.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
