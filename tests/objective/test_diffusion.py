"""The error of noise and of velocities; a network that says the other is refused before the first step."""

import pytest
import torch
from tests.tiny import SETTINGS, rows

from tuwen.errors import ConfigError
from tuwen.objective import diffusion, flow
from tuwen.train.loop import train
from tuwen.types import Batch, Decoded, Made

BATCH = Batch(["a"], {})


def made(says, prediction=(1.0, 2.0), target=(1.0, 0.0)):
    return Made(routes={"draw": Decoded(torch.tensor(prediction), torch.tensor(target), says=says)})


@pytest.mark.parametrize(("part", "name", "says"), [(diffusion, "diffusion", "noise"), (flow, "flow", "velocity")])
def test_the_error_is_the_mean_of_the_squares(part, name, says):
    """((1 - 1)^2 + (2 - 0)^2) / 2 = 2."""
    objective = part.Config().build()
    assert {key: float(value) for key, value in objective(made(says), BATCH).values.items()} == {name: 2.0}
    assert float(objective(made(says, target=(1.0, 2.0)), BATCH).values[name]) == 0
    assert objective(Made(), BATCH).values == {}


def test_saying_nothing_of_noise_is_worth_one():
    noise = torch.randn(100_000, generator=torch.Generator().manual_seed(0))
    found = diffusion.Config().build()(made("noise", [0.0] * len(noise), noise.tolist()), BATCH)
    assert float(found.values["diffusion"]) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("part", "says", "message"),
    [
        (
            diffusion,
            "velocity",
            "the objective diffusion fits a network that says noise, and the decoder of the route 'draw' says velocity; set "
            r"decode.image.path=cosine of an image_flow \(decode.image@latent.path of a flow of latents\), or objective.flow=flow",
        ),
        (
            flow,
            "noise",
            "the objective flow fits a network that says velocity, and the decoder of the route 'draw' says noise; set "
            r"decode.image.path=straight of an image_flow \(decode.image@latent.path of a flow of latents\), or objective.flow=diffusion",
        ),
        (
            flow,
            None,
            r"says neither velocity nor noise; set decode.image.path=straight of an image_flow \(decode.image@latent.path of a flow of latents\)$",
        ),
    ],
)
def test_another_network_is_refused(part, says, message):
    with pytest.raises(ConfigError, match=message):
        part.Config().build()(made(says), BATCH)


def test_a_run_with_another_network_ends_before_its_first_step(tmp_path):
    out, events = tmp_path / "model", []
    settings = (*SETTINGS["flow"], "objective.flow=diffusion", f"data.cache={tmp_path}/cache")
    with pytest.raises(ConfigError, match="set decode.image.path=cosine"):
        train(rows(20), out=out, recipe="flow", settings=settings, steps=2, report=lambda event: events.append(event))
    assert not any(event["kind"] == "step" for event in events) and not (out / "weights.safetensors").exists()
