"""Pictures that a critic has taught a model to draw: whether they differ as real ones do, and how near to those they are.

Each row is drawn of its text, once more with other noise, and once of the text of another row with the same noise.

Figures:
    drawn_spread: how far the drawn pictures of two rows are apart, as a share of what their real ones are: near 1 where
        they vary as much, near 0 where one picture is drawn of everything;
    text_spread: the same of two texts drawn with the same noise: 0 where the model does not heed the text; left out where
        all rows have one text;
    noise_spread: how far two drawn pictures of one text are apart, as a share of what two real ones of one text are: 0
        where another seed changes nothing; left out where no two rows have one text;
    drawn_distance: how far the drawn pictures and the real ones are apart as two clouds, 0 where they are one (or, by chance,
        a little below): the energy distance of what random convolutions see in them, as a share of how far two real ones
        are apart.
Chance: one picture for all rows, the mean of the real ones.

Source:
    Szekely and Rizzo 2013, "Energy statistics", J. Stat. Plan. Inference 143, 1249; random features in place of a
    pretrained network: Naeem et al. 2020, arXiv:2002.09797.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tuwen.judge._rates import Rates
from tuwen.objective import adversarial
from tuwen.objective._drawn import drawn
from tuwen.types import Batch, Latent, Made

if TYPE_CHECKING:
    from tuwen.judge._asked import Asked
    from tuwen.model import CrossModal

_MOST = 1_000
"""Pictures that are compared."""


def able(model: CrossModal) -> bool:
    """Whether the model learned to draw from a critic."""
    return bool(_judged(model))


def _judged(model: CrossModal) -> list[adversarial.Config]:
    """Its critics of what is drawn; one of patches asks how sharp a picture is that was made again, and not how they vary."""
    every = model.recipe.objective.values()
    return [one for one in every if isinstance(one, adversarial.Config) and not one.patches]


class Judge:
    """Collects real and drawn pictures of one route."""

    less = ("drawn_distance",)
    """Figures of which the smallest is the best."""

    def __init__(self, model: CrossModal, asked: Asked):
        self.model, [config, *_] = model, _judged(model)
        self.config, self.route = config, model.recipe.routes[config.route]
        self.pictures: dict[str, list[Tensor]] = {"real": [], "drawn": [], "other_noise": [], "other_text": []}
        self.texts: list[str] = []
        self.others: list[str] = []
        """Of each picture, the text that it is drawn of, and the other one."""

    def add(self, made: Made, batch: Batch) -> None:
        """Takes a batch that has run through the model."""
        num = len(self.texts)
        found = drawn(made, self.config.route, self.config.given)
        if found is None or num >= _MOST:
            return
        decoder: Any = self.model.decoders[self.route.make or ""]
        latent = made.latents[self.config.given].rows(found.latent_P)
        others = latent.rows(torch.arange(len(latent), device=found.latent_P.device).roll(1))

        def draw(of: Latent, seed: int) -> Tensor:
            return decoder.make(of, generator=torch.Generator().manual_seed(seed))  # type: ignore[no-any-return]

        some = {"drawn": draw(latent, num), "other_text": draw(others, num), "other_noise": draw(latent, num + _MOST)}
        for name, pictures in {**some, "real": found.real}.items():
            self.pictures[name].append(pictures.float().cpu())
        texts = [str([batch.raw[row].fields.get(field) for field in self.route.given]) for row in found.row_P.tolist()]
        self.texts += texts
        self.others += texts[-1:] + texts[:-1]

    def rates(self) -> Iterable[tuple[Rates, dict[str, float]]]:
        """The figures, and those of the mean picture."""
        if len(self.texts) < 2:
            return
        found = {name: torch.cat(pictures) for name, pictures in self.pictures.items()}
        real, made = found["real"], found["drawn"]
        apart = _apart(real, real.roll(1, 0))
        figures = {"drawn_spread": _share(_apart(made, made.roll(1, 0)), apart)}
        differ = torch.tensor([one != other for one, other in zip(self.texts, self.others, strict=True)])
        if differ.any():
            figures["text_spread"] = _share(_apart(made[differ], found["other_text"][differ]), apart)
        if alike := _pairs(self.texts):
            one, other = torch.tensor(alike).T
            figures["noise_spread"] = _share(_apart(made, found["other_noise"]), _apart(real[one], real[other]))
        mean = real.mean(0, keepdim=True).expand_as(real)
        chance = {**dict.fromkeys(figures, 0.0), "drawn_distance": distance(real, mean)}
        yield Rates(more={**figures, "drawn_distance": distance(real, made)}), chance

    def rows(self) -> list[dict[str, Any]]:
        """Nothing of single rows."""
        return []


def _pairs(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Each row with the next one of the same text."""
    last: dict[str, int] = {}
    found = []
    for row, text in enumerate(texts):
        if text in last:
            found.append((last[text], row))
        last[text] = row
    return found


def _share(of_drawn: float, of_real: float) -> float:
    """1 where real pictures do not differ either."""
    return of_drawn / of_real if of_real else 1.0


def _apart(one_PCHW: Tensor, other_PCHW: Tensor) -> float:
    """Mean root of the mean squared difference of pixels."""
    return float((one_PCHW - other_PCHW).flatten(1).square().mean(1).sqrt().mean())


def distance(real_PCHW: Tensor, drawn_PCHW: Tensor) -> float:
    """The figure drawn_distance of two or more pictures, from 0 to 1, of each kind."""
    with torch.autocast("cpu", enabled=False):  # small differences count
        return energy_distance(_seen(real_PCHW), _seen(drawn_PCHW))


def _seen(pixels_PCHW: Tensor) -> Tensor:
    """(P, D) a coarse look, and what two random convolutions, always the same, see at places of a 4 x 4 grid."""
    random = torch.Generator().manual_seed(0)
    x_PCHW = pixels_PCHW * 2 - 1
    found = [F.adaptive_avg_pool2d(x_PCHW, 8)]
    for width in (32, 64):
        weight = torch.randn(width, x_PCHW.shape[1], 3, 3, generator=random) * (2 / (9 * x_PCHW.shape[1])) ** 0.5
        x_PCHW = F.relu(F.conv2d(x_PCHW, weight, stride=2, padding=1))
    return torch.cat([one.flatten(1) for one in (*found, F.adaptive_avg_pool2d(x_PCHW, 4))], 1)


def energy_distance(real_ND: Tensor, other_MD: Tensor) -> float:
    """(2 E|x - y| - E|x - x'| - E|y - y'|) / E|x - x'| for x of the first and y of the second, without bias.

    Example:
        >>> real = torch.tensor([[0.0], [2.0]])
        >>> energy_distance(real, torch.tensor([[1.0], [1.0]]))  # (2 * 1 - 2 - 0) / 2
        0.0
        >>> energy_distance(real, torch.tensor([[5.0], [5.0]]))  # (2 * 4 - 2 - 0) / 2
        3.0
    """

    def within(x_ND: Tensor) -> float:
        return float(torch.pdist(x_ND).mean())

    own = within(real_ND)
    between = float(torch.cdist(real_ND, other_MD, compute_mode="donot_use_mm_for_euclid_dist").mean())
    return (2 * between - own - within(other_MD)) / (own or 1.0)


__all__ = ["Judge", "able", "distance", "energy_distance"]
