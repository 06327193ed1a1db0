"""Losses at steps 1, 10 and 50 of a short run of each recipe family: a refactor reproduces them.

In float32 with one thread, from `scenes:0:128`. A change that is meant to change them writes them anew:

    OMP_NUM_THREADS=1 PYTHONPATH=src:. python tests/golden/test_losses.py
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from tests.tiny import SETTINGS

from tuwen.train.loop import train

STORED = Path(__file__).with_name("losses.json")
RECIPES = (
    "cnn-transformer",
    "cnn-gru",
    "show-attend-tell",
    "coca",
    "dual-encoder",
    "siglip",
    "multimodal-autoencoder",
    "flow",
    "flow-distilled",
    "latent-flow",
    "gpt-vqvae",
    "text-gan",
)
TERMS = (
    "codes",
    "distillation",
    "elbo",
    "commitment",
    "reconstruction",
    "critic",
    "loss",
    "caption",
    "contrastive",
    "sigmoid",
    "coverage",
    "reconstruct",
    "repeat",
    "draw",
    "alignment",
)
STEPS = (1, 10, 50)
ROUNDING = ("multimodal-autoencoder",)
"""Learns so fast that what processors round differently is 0.5 % after 50 steps."""


def losses(recipe, folder):
    """Step -> every term of the loss; the random part of a step, dropout, is in it."""
    found = {}

    def report(event):
        if event["kind"] == "step" and event["step"] in STEPS:
            found[str(event["step"])] = {name: event[name] for name in TERMS if name in event}

    metric = () if recipe == "text-gan" else ("train.metric=loss",)  # what a critic says is no figure of an evaluation
    settings = (*SETTINGS[recipe], *metric, "train.evaluations=1", f"data.cache={folder}/cache")
    train(
        "scenes:0:128",
        out=f"{folder}/{recipe}",
        recipe=recipe,
        settings=settings,
        steps=STEPS[-1],
        seed=0,
        report=report,
    )
    return found


@pytest.mark.parametrize("recipe", RECIPES)
def test_losses_are_those_that_were_stored(recipe, tmp_path):
    stored = json.loads(STORED.read_text("utf-8"))[recipe]
    found = losses(recipe, tmp_path)
    assert stored.keys() == found.keys() == {str(step) for step in STEPS}
    for step, terms in stored.items():
        late = recipe in ROUNDING and int(step) == STEPS[-1]
        assert found[step] == pytest.approx(terms, rel=1e-2 if late else 1e-4), f"step {step}"
    if "critic" in found["1"]:
        return  # two that learn against each other need not get anywhere
    learned = "caption" if "caption" in found["1"] else "loss"  # not how evenly an untrained attention is spread
    assert found["50"][learned] < 0.95 * found["1"][learned]


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        STORED.write_text(json.dumps({recipe: losses(recipe, folder) for recipe in RECIPES}, indent=2) + "\n", "utf-8")
    sys.stderr.write(f"wrote {STORED}\n")
