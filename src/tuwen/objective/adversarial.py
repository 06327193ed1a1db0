"""A critic learns to tell drawn pictures from real ones, and right texts from wrong ones; the model learns to please it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuwen.errors import ConfigError
from tuwen.objective._augment import Change, changed
from tuwen.objective._critic import Critic, PatchCritic
from tuwen.objective._drawn import Drawn, differ, drawn, first_drawn
from tuwen.types import Batch, Decoded, Latent, Made, Terms


@dataclass(frozen=True, kw_only=True)
class Config:
    route: str = "draw"
    """Route that draws the pictures."""
    given: str = "draw"
    """Latent that they are drawn from: the name of the route where it is a fused one, else of its field; without effect
    with patches."""
    patches: bool = False
    """Each patch is judged by itself, and what the picture was drawn from is not asked: for pictures that are made again
    (route=reconstruct) and should be sharp. given, wrong and features are then without effect."""
    begin: float = 0.0
    """Share of the run after which it counts, from 0 to below 1: a critic of pictures that nothing can be seen in yet only
    harms."""
    loss: Literal["non_saturating", "hinge"] = "non_saturating"
    """non_saturating: cross-entropies; hinge: scores beyond 1 and -1 teach the critic nothing more."""
    steady: Literal["r1", "spectral"] = "r1"
    """What keeps the critic from being too sure of itself: r1, a penalty on its slope at real pictures; spectral, no layer
    stretches what it takes."""
    r1: float = 1.0
    """Weight of that penalty, 0 or more; without effect in spectral."""
    r1_every: int = 8
    """Steps of which one has the penalty, as many times as heavy; 1 or more."""
    wrong: float = 0.5
    """Share of what the critic is to refuse that is a real picture with the text of another row, from 0 to below 1; what
    is left is drawn. 0: it learns less of what the text says."""
    changes: tuple[Change, ...] = ("colour", "translation", "cutout")
    """How pictures, real and drawn, are changed at random before the critic sees them; may be empty."""
    widths: tuple[int, ...] = (32, 64, 128)
    """Channels of the critic's convolutions, each of which halves the picture."""
    features: int = 128
    """Numbers that the critic sees in a picture."""
    lr: float = 1e-3
    """Peak learning rate of the critic; it rises and falls as that of the model."""
    betas: tuple[float, float] = (0.0, 0.99)
    """Decay of the running averages of the critic's optimiser."""

    def build(self) -> Adversarial:
        return Adversarial(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls(widths=(4, 8), features=8)

    def example(self) -> tuple[Made, Batch]:
        random = torch.Generator().manual_seed(0)
        drawn, real = torch.rand(2, 4, 3, 16, 16, generator=random)
        given = Latent(torch.randn(4, 6, generator=random))
        return Made({self.given: given}, {self.route: Decoded(drawn, real)}), Batch(list("abcd"), {})


class Adversarial(nn.Module):
    """`(made, batch) -> Terms(adversarial)`, what the model minimises; `against(made, batch) -> Terms(critic)`, the critic.

    The critic is made for what the model draws (`begin`), learns in training only, and is not kept with the model: before
    `begin`, as in `tuwen evaluate`, there is no term. With patches (P,) stands for (P, N), a score for each of N. In
    evaluation `critic_right` is reported, the share of pictures, real and drawn, that it tells apart: 0.5 by guessing; near 1
    there is nothing left that the model could learn of it. Neither term says how good the pictures are: let a figure decide
    the best model (`judge/variety`).

    Source:
        Goodfellow et al. 2014, arXiv:1406.2661; wrong texts: Reed et al. 2016, arXiv:1605.05396, algorithm 1; hinge: Lim
        and Ye 2017, arXiv:1705.02894; the penalty: Mescheder et al. 2018, arXiv:1801.04406, eq. 9, in some steps only:
        Karras et al. 2020, arXiv:1912.04958, appendix B; patches, and a late beginning: Esser et al. 2021, arXiv:2012.09841,
        section 3.1 and appendix.
    Differs:
        two texts whose latents are equal are not each other's wrong text, so classes may repeat in a batch; the weight beside
        an error of pixels is fixed, not a ratio of two gradients.
    """

    steps: Tensor
    done = 1.0
    """Share of the run that is done; `train/critics.py` says it before each step. 1 where there is none: a step that is
    timed has all terms."""

    def __init__(self, config: Config):
        super().__init__()
        if not 0 <= config.wrong < 1:
            raise ConfigError(
                f"objective.adversarial: wrong is {config.wrong}; it is from 0 to below 1, as in wrong=0.5."
            )
        if config.r1_every < 1:
            raise ConfigError(
                f"objective.adversarial: r1_every is {config.r1_every}; it is 1 or more, as in r1_every=8."
            )
        if not 0 <= config.begin < 1:
            raise ConfigError(
                f"objective.adversarial: begin is {config.begin}; it is a share of the run, from 0 to below 1, as in begin=0.3."
            )
        self.config = config
        self.critic: Critic | PatchCritic | None = None
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def begin(self, made: Made) -> None:
        """Makes the critic, for pictures and latents like these.

        Raises:
            ConfigError: there is no such route or latent, it makes no pictures, or too small ones.
        """
        config = self.config
        first = first_drawn(made, config.route, self.given, "adversarial")
        if (side := min(first.pixels.shape[2:])) < 2 ** len(config.widths):
            raise ConfigError(
                f"objective.adversarial: widths has {len(config.widths)} convolutions, which halve {side} pixels to nothing; "
                f"give at most {side.bit_length() - 1}."
            )
        shape, spectral = first.pixels.shape[1:], config.steady == "spectral"
        if config.patches:
            self.critic = PatchCritic(shape[0], widths=config.widths, spectral=spectral)
        else:
            given = first.given_PD.shape[1]
            self.critic = Critic(shape, given, widths=config.widths, features=config.features, spectral=spectral)
        self.critic.eval()
        self.steps.zero_()
        self.to(first.pixels.device)

    @property
    def given(self) -> str:
        """Latent that pictures are drawn from; empty: that is not asked."""
        return "" if self.config.patches else self.config.given

    def _found(self, made: Made) -> Drawn | None:
        """The pictures to be judged; None where there are none, or it is too early."""
        return drawn(made, self.config.route, self.given) if self.done >= self.config.begin else None

    def forward(self, made: Made, batch: Batch) -> Terms:
        found = self._found(made)
        if self.critic is None or found is None:
            return Terms()
        learning = torch.is_grad_enabled()
        changes = self.config.changes if learning else ()
        with _unmoved(self.critic):
            drawn_P = self.critic(changed(_signed(found.pixels), changes), found.given_PD)
        terms = {"adversarial": pleased(drawn_P, self.config.loss)}
        if learning:
            return Terms(terms)
        real_P = self.critic(_signed(found.real), found.given_PD)
        return Terms(terms, {"critic_right": torch.cat([real_P > 0, drawn_P < 0]).float().mean()})

    def against(self, made: Made, batch: Batch) -> Terms:
        """What the critic minimises; no gradient flows to what was made. Reports its mean scores."""
        found = self._found(made)
        if self.critic is None or found is None:
            return Terms()
        config, num = self.config, len(found.pixels)
        slope = config.steady == "r1" and int(self.steps) % config.r1_every == 0
        real, fake = (changed(_signed(one.detach()), config.changes) for one in (found.real, found.pixels))
        other_PD, apart_P = _of_others(found)
        self.critic.train()  # spectral norm seeks the direction that is stretched most
        real_PF, drawn_PF = (self.critic.look(one, found.given_PD) for one in (real.requires_grad_(slope), fake))
        seen_QF = torch.cat([real_PF, drawn_PF, real_PF[apart_P]])
        score_Q = self.critic.score(seen_QF, torch.cat([found.given_PD, found.given_PD, other_PD[apart_P]]))
        self.critic.eval()
        real_P, drawn_P, wrong_P = score_Q.tensor_split([num, 2 * num])
        loss = refused(real_P, drawn_P, wrong_P, loss=config.loss, wrong=config.wrong)
        if slope:
            loss = loss + config.r1 * config.r1_every * r1(real_P.view(num, -1).mean(1), real)
        self.steps += 1
        scores = {"real": real_P, "drawn": drawn_P, "wrong": wrong_P}
        return Terms({"critic": loss}, {f"critic_{name}": one.mean() for name, one in scores.items() if len(one)})


def _of_others(found: Drawn) -> tuple[Tensor, Tensor]:
    """(P, D) what the picture half a batch away was drawn from, and (P,) bool whether it is of another row and text."""
    half = len(found.row_P) // 2
    other_PD = found.given_PD.roll(half, 0)
    return other_PD, differ(found.given_PD, other_PD) & (found.row_P.roll(half) != found.row_P)


def refused(real_P: Tensor, drawn_P: Tensor, wrong_P: Tensor, *, loss: str, wrong: float) -> Tensor:
    """What a critic minimises: it takes real pictures with their texts, and refuses drawn ones and those with wrong texts.

    Args:
        real_P, drawn_P, wrong_P: scores; wrong_P may be empty, then what is drawn counts alone.
        loss: hinge or non_saturating.
        wrong: weight of wrong_P, 0 to below 1; drawn_P has the rest.
    Example:
        >>> score = torch.tensor([0.5])
        >>> refused(score, -score, score, loss="hinge", wrong=0.5).item()  # 0.5 + (0.5 + 1.5) / 2
        1.5
    """
    cost = _COSTS[loss]
    share = wrong if len(wrong_P) else 0.0
    refusing = (1 - share) * cost(-drawn_P).mean()
    return cost(real_P).mean() + refusing + (share * cost(-wrong_P).mean() if share else 0.0)


def pleased(drawn_P: Tensor, loss: str) -> Tensor:
    """What a model minimises whose pictures have these scores.

    Example:
        >>> pleased(torch.tensor([0.0, 2.0]), "hinge").item()
        -1.0
        >>> round(pleased(torch.tensor([0.0]), "non_saturating").item(), 4)
        0.6931
    """
    return -drawn_P.mean() if loss == "hinge" else F.softplus(-drawn_P).mean()


def r1(score_P: Tensor, pixels: Tensor) -> Tensor:
    """Half of the squared length of the slope of each score by its own picture, the mean over the scores.

    Args:
        pixels: (P or more, ...) that the scores were computed from, with a gradient; the first P belong to them.
    Source:
        Mescheder et al. 2018, arXiv:1801.04406, eq. 9.
    Example:
        >>> x = torch.zeros(1, 2, requires_grad=True)
        >>> r1(x @ torch.tensor([3.0, 4.0]), x).item()  # (9 + 16) / 2
        12.5
    """
    (slope,) = torch.autograd.grad(score_P.sum(), pixels, create_graph=True)
    return slope[: len(score_P)].flatten(1).square().sum(1).mean() / 2


_COSTS = {"hinge": lambda score_P: F.relu(1 - score_P), "non_saturating": lambda score_P: F.softplus(-score_P)}
"""What it costs that a score is not high."""


def _signed(pixels: Tensor) -> Tensor:
    """From 0..1 to -1..1."""
    return pixels.float() * 2 - 1


@contextmanager
def _unmoved(part: nn.Module) -> Iterator[None]:
    """Gradients pass through a part but do not gather in it."""
    part.requires_grad_(False)
    try:
        yield
    finally:
        part.requires_grad_(True)
