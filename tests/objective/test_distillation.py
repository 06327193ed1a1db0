"""The squared error of a velocity, under a name of its own, and how a model that learned by it is drawn with."""

import torch

from tuwen import registry
from tuwen.objective import distillation, flow
from tuwen.types import Batch, Decoded, Made


def test_a_number_worked_by_hand():
    """Errors of 1 and 3: (1 + 9) / 2 = 5; none where nothing is drawn."""
    said, wanted = (torch.tensor(pixels).reshape(1, 1, 1, 2) for pixels in ([1.0, 0.0], [0.0, 3.0]))
    decoded = Decoded(said, wanted, says="velocity")
    terms = distillation.Config().build()(Made(routes={"draw": decoded}), Batch(["a"], {}))
    assert {name: value.item() for name, value in terms.values.items()} == {"distillation": 5.0}
    assert not distillation.Config().build()(Made(), Batch(["a"], {})).values


def test_it_is_the_loss_of_a_flow():
    made, batch = distillation.Config().example()
    own, base = (config.build()(made, batch).values for config in (distillation.Config(), flow.Config()))
    assert own["distillation"] == base["flow"]


def test_what_is_usual_is_a_walk():
    settings = distillation.Config(few=6).usual
    config = registry.get("generate", settings.pop("method")).Config(**settings).build().config
    assert (config.steps, config.guidance) == (6, 1.0)
