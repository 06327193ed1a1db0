"""Run by `drawing.py fashion --peer`, with an interpreter that has pythae: KIND FOLDER SECONDS NUM THREADS.

Trains pythae's VAE or VQ-VAE, with the networks of its own benchmarks for 28 x 28 pictures (convolutional; residual for the
VQ-VAE), on FOLDER/train.npy, (N, 28, 28) uint8, for so many seconds, and writes NUM pictures of its sampler to FOLDER/KIND.npy,
(NUM, 28, 28) uint8: of the VAE a mixture of ten normal distributions in place of the prior; of the VQ-VAE a PixelCNN over
its codes, which has a third of the time.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import torch
from pythae.models import VAE, VQVAE, VAEConfig, VQVAEConfig
from pythae.models.nn.benchmarks.mnist import (
    Decoder_Conv_AE_MNIST,
    Decoder_ResNet_VQVAE_MNIST,
    Encoder_Conv_VAE_MNIST,
    Encoder_ResNet_VQVAE_MNIST,
)

BATCH, LR = 64, 1e-3


def main() -> None:
    kind, folder, seconds, num, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    data = torch.from_numpy(np.load(f"{folder}/train.npy"))[:, None].float() / 255
    drawn = {"vae": vae, "vqvae": vqvae}[kind](data, float(seconds), int(num))
    np.save(f"{folder}/{kind}.npy", (drawn[:, 0].clamp(0, 1) * 255).round().to(torch.uint8).numpy())


def trained(model: Any, data: torch.Tensor, seconds: float) -> Any:
    """The plain loop of pythae's trainer: Adam, what the model calls its loss."""
    optimiser, began, steps = torch.optim.Adam(model.parameters(), lr=LR), time.monotonic(), 0
    model.train()
    while time.monotonic() - began < seconds:
        rows = torch.randint(len(data), (BATCH,))
        loss = model({"data": data[rows]}).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        steps += 1
    print(f"{type(model).__name__}: {steps} steps of {BATCH}", flush=True)
    return model.eval()


def vae(data: torch.Tensor, seconds: float, num: int) -> torch.Tensor:
    from pythae.samplers import GaussianMixtureSampler, GaussianMixtureSamplerConfig

    config = VAEConfig(input_dim=(1, 28, 28), latent_dim=16, reconstruction_loss="bce")
    model = trained(VAE(config, Encoder_Conv_VAE_MNIST(config), Decoder_Conv_AE_MNIST(config)), data, seconds)
    sampler = GaussianMixtureSampler(model, GaussianMixtureSamplerConfig(n_components=10))
    sampler.fit(data[:10_000])
    return sampler.sample(num_samples=num, batch_size=200, return_gen=True).cpu()


def vqvae(data: torch.Tensor, seconds: float, num: int) -> torch.Tensor:
    from pythae.samplers import PixelCNNSampler, PixelCNNSamplerConfig

    config = VQVAEConfig(input_dim=(1, 28, 28), latent_dim=16, num_embeddings=128)
    model = VQVAE(config, Encoder_ResNet_VQVAE_MNIST(config), Decoder_ResNet_VQVAE_MNIST(config))
    model = trained(model, data, seconds * 2 / 3)
    sampler = PixelCNNSampler(model, PixelCNNSamplerConfig(n_layers=10))
    sampler.pixelcnn_model = trained_prior(sampler.pixelcnn_model, coded(model, data), seconds / 3)
    sampler.is_fitted = True
    return sampler.sample(num_samples=num, batch_size=200, return_gen=True).cpu()


@torch.no_grad()
def coded(model: Any, data: torch.Tensor) -> torch.Tensor:
    """(N, 1, h, w) codes, as its sampler takes them."""
    return torch.cat([model({"data": part}).quantized_indices for part in data.split(500)]).float()


def trained_prior(model: Any, codes: torch.Tensor, seconds: float) -> Any:
    """The loop again, on codes."""
    optimiser, began = torch.optim.Adam(model.parameters(), lr=LR), time.monotonic()
    model.train()
    while time.monotonic() - began < seconds:
        rows = torch.randint(len(codes), (BATCH,))
        loss = model({"data": codes[rows]}).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


if __name__ == "__main__":
    main()
