import torch

from tuwen.fuse.mean import Config
from tuwen.types import Latent, Widths


def test_fields_that_are_there_weigh_alike():
    # with identity maps: row 0 is the mean of (2, 4) and (6, 0), row 1 has only the text
    part = Config(width=2).build({"image": Widths(2, 2), "text": Widths(2, 2)})
    for linear in part.linear.values():
        torch.nn.init.eye_(linear.weight)
        torch.nn.init.zeros_(linear.bias)
    image = Latent(torch.tensor([[2.0, 4.0]]), owner_P=torch.tensor([0]))
    text = Latent(torch.tensor([[6.0, 0.0], [1.0, 3.0]]), owner_P=torch.tensor([0, 1]))
    made = part({"image": image, "text": text}, 2)
    assert made.pooled.tolist() == [[4, 2], [1, 3]]
    assert made.tokens.tolist() == [[[4, 2]], [[1, 3]]]
