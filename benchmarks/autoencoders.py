"""Autoencoders against what they should beat: principal components, and another library's variational autoencoder.

    python benchmarks/autoencoders.py bottleneck FASHION [--width 32] [--seeds 0 1 2] [--recipes dense-autoencoder ...]
    python benchmarks/autoencoders.py vae MNIST [--peer PYTHON] [--seeds 0 1 2] [--epochs 100]

FASHION, MNIST: folders of IDX files (28 x 28 grey). Without a test part of its own a tenth of the data tests, and a
twentieth validates, by the content of the pictures.

bottleneck: mean squared error of a pixel (0 to 1) on the test part, after as many numbers as there are principal
components of the same training part.

vae: the negative bound in nats per picture on the test part, with sampled latents, of binarised digits (each pixel drawn
once, with its grey value as probability). The peer is pythae's VAE with the same layers, batch, learning rate and
epochs, run by PYTHON, an interpreter that has pythae (`python -m venv peer && peer/bin/pip install pythae`); it trains in
its own process, on the same numbers.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

BATCH, LR, LATENT, HIDDEN = 100, 1e-3, 16, 512
"""Of both sides of `vae`; 512 is what the peer's dense networks have."""
PASSES = 10
"""Samples of each latent over which a bound is the mean."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["bottleneck", "vae", "peer"])
    parser.add_argument("data")
    parser.add_argument("--recipes", nargs="+", default=["dense-autoencoder", "conv-autoencoder"])
    parser.add_argument("--width", type=int, default=32, help="numbers that are kept of a picture")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=float, default=0.0, help="0: what the recipe says; vae: 100")
    parser.add_argument("--rows", type=int, default=0, help="the first rows only, to try it out; 0: all")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer", default="", help="interpreter that has pythae; none: ours alone")
    parser.add_argument("--set", nargs="*", default=[], help="settings of the recipe")
    args = parser.parse_args()
    {"bottleneck": bottleneck, "vae": variational, "peer": as_peer}[args.what](args)


# -- principal components ----------------------------------------------------------------------------------------------


def bottleneck(args: argparse.Namespace) -> None:
    data = parts(args)
    with tempfile.TemporaryDirectory() as folder:
        train, test = (pixels(data.split(name)) for name in ("train", "test"))
        base = components(train, test, args.width)
        print(f"{len(train)} pictures to learn from, {len(test)} to test, {args.width} numbers\n")
        print("| system | seed | trained s | mse | of components' |\n|---|---|---|---|---|")
        print(f"| principal components | | | {base:.6f} | 1 |", flush=True)
        for recipe in args.recipes:
            for seed in args.seeds:
                more = [f"space.image.width={args.width}", *args.set]
                took_s, model = learn(data, recipe, seed, Path(folder) / f"{recipe}{seed}", args, more)
                mse = judged(model, data.split("test"))
                print(f"| {recipe} | {seed} | {took_s:.0f} | {mse:.6f} | {mse / base:.3f} |", flush=True)


def components(train_ND: np.ndarray, test_ND: np.ndarray, width: int) -> float:
    """Squared error after the first principal components of the training part."""
    from sklearn.decomposition import PCA

    found = PCA(width, svd_solver="covariance_eigh").fit(train_ND)
    again = found.inverse_transform(found.transform(test_ND)).clip(0, 1)
    return float(((again - test_ND) ** 2).mean())


def judged(model: Any, rows: Any) -> float:
    from tuwen.evaluation import evaluate

    samples = list(rows)
    batches = (model.batch(samples[start : start + 256], targets=True) for start in range(0, len(samples), 256))
    return evaluate(model, batches).figures["mse"]


# -- the peer's variational autoencoder --------------------------------------------------------------------------------


def variational(args: argparse.Namespace) -> None:
    args.epochs = args.epochs or 100
    data = binarised(parts(args))
    print("| system | seed | trained s | bound, nats |\n|---|---|---|---|", flush=True)
    layers = (f"encode.image.widths={HIDDEN}", f"decode.image.hidden={HIDDEN}", f"space.image.width={LATENT}")
    schedule = (f"train.batch={BATCH}", f"train.lr={LR}", "train.evaluations=5")
    with tempfile.TemporaryDirectory() as folder:
        for seed in args.seeds:
            out = Path(folder) / f"vae{seed}"
            took_s, model = learn(data, "vae", seed, out, args, [*layers, *schedule, *args.set])
            print(f"| tuwen | {seed} | {took_s:.0f} | {bound(model, data.split('test')):.2f} |", flush=True)
            if args.peer:
                took_s, nats = ask_peer(args, data, seed, Path(folder))
                print(f"| pythae | {seed} | {took_s:.0f} | {nats:.2f} |", flush=True)


def bound(model: Any, rows: Any) -> float:
    """Mean of the negative bound, latents sampled `PASSES` times."""
    import torch

    samples, objective = list(rows), model.recipe.objective["elbo"].build()
    model.eval()
    model.spaces.train()  # a space samples in training
    total = 0.0
    with torch.no_grad():
        for start in range(0, len(samples), 250):
            batch = model.batch(samples[start : start + 250], targets=True)
            total += sum(float(objective(model(batch), batch).values["elbo"]) for _ in range(PASSES)) * len(batch)
    return total / PASSES / len(samples)


def ask_peer(args: argparse.Namespace, data: Any, seed: int, folder: Path) -> tuple[float, float]:
    """The peer in its own process, on the same pictures."""
    path = folder / "digits.npz"
    np.savez(path, **{name: pixels(data.split(name)) for name in ("train", "val", "test")})
    command = [args.peer, __file__, "peer", str(path), "--seeds", str(seed), "--epochs", str(args.epochs)]
    run = subprocess.run([*command, "--threads", str(args.threads)], capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(run.stderr[-3000:])
    took_s, nats = run.stdout.strip().split("\n")[-1].split()
    return float(took_s), float(nats)


def as_peer(args: argparse.Namespace) -> None:
    """Runs where pythae is installed; prints seconds and nats. Nothing of tuwen is imported."""
    import torch
    from pythae.models import VAE, VAEConfig
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seeds[0])
    digits = {name: array.reshape(-1, 1, 28, 28) for name, array in np.load(args.data).items()}
    model = VAE(VAEConfig(input_dim=(1, 28, 28), latent_dim=LATENT, reconstruction_loss="bce"))
    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder, learning_rate=LR, per_device_train_batch_size=BATCH, per_device_eval_batch_size=BATCH,
            num_epochs=round(args.epochs), no_cuda=True, seed=args.seeds[0],
        )  # fmt: skip
        data = {name: array_dataset(digits[name]) for name in ("train", "val")}
        began = time.time()
        BaseTrainer(model, data["train"], data["val"], config).train()
        took_s = time.time() - began
    model.eval()
    test, total = torch.tensor(digits["test"]), 0.0
    with torch.no_grad():
        for part in test.split(250):
            total += sum(float(model({"data": part}).loss) for _ in range(PASSES)) * len(part)
    print(took_s, total / PASSES / len(test))


def array_dataset(array: np.ndarray) -> Any:
    import torch
    from pythae.data.datasets import BaseDataset

    return BaseDataset(torch.tensor(array), torch.ones(len(array)))


# -- both --------------------------------------------------------------------------------------------------------------


def parts(args: argparse.Namespace) -> Any:
    """The data with its test part, or one by content where it has none; to try it out, fewer rows."""
    from dataclasses import replace

    from tuwen import open_data
    from tuwen.data._config import Data
    from tuwen.data._dataset import Dataset

    data = open_data(args.data, Data(val=0.05, test=0.1))
    if "test" not in data.splits:
        data = Dataset([replace(sample, split=None) for sample in data], name=data.name, options=data.options)
    return data[: args.rows] if args.rows else data


def binarised(data: Any) -> Any:
    """The same rows, each pixel 0 or 255, drawn once."""
    from dataclasses import replace

    from tuwen.data._dataset import Dataset
    from tuwen.data._picture import open_picture

    random = np.random.default_rng(0)
    rows = []
    for name in ("train", "val", "test"):
        for sample in data.split(name):
            grey = open_picture(sample.fields["image"])[:, :, 0]
            drawn = ((random.random(grey.shape) < grey / 255) * 255).astype(np.uint8)
            rows.append(replace(sample, fields={**sample.fields, "image": drawn}, split=name))
    return Dataset(rows, name="binarised digits", options=data.options)


def pixels(rows: Any) -> np.ndarray:
    """(N, 784) float32, 0 to 1."""
    from tuwen.data._picture import open_picture

    return np.stack([open_picture(s.fields["image"])[:, :, 0].reshape(-1) for s in rows]).astype(np.float32) / 255


def learn(
    data: Any, recipe: str, seed: int, out: Path, args: argparse.Namespace, settings: list[str]
) -> tuple[float, Any]:
    from tuwen import load, train

    epochs = [f"train.epochs={args.epochs}"] if args.epochs else []
    settings = [f"train.threads={args.threads}", f"data.cache={out}-cache", *epochs, *settings]
    began = time.time()
    train(data, out=out, recipe=recipe, seed=seed, settings=settings)
    return time.time() - began, load(out)


if __name__ == "__main__":
    sys.exit(main())
