"""A network should find the noise in a picture, on decode.image.path=cosine: the squared error of what it says."""

from __future__ import annotations

from dataclasses import dataclass

from tuwen.objective._said import example_said, squared_error
from tuwen.types import Batch, Made, Terms


@dataclass(frozen=True, kw_only=True)
class Config:
    route: str = "draw"
    """Route whose decoder says the noise: `image_flow` on its cosine path."""

    def build(self) -> Diffusion:
        return Diffusion(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls()

    def example(self) -> tuple[Made, Batch]:
        return Made(routes={self.route: example_said("noise")}), Batch(["a", "b"], {})


class Diffusion:
    """`(made, batch) -> Terms(diffusion)`, 1 of a network that says 0; no term where the batch has nothing to draw.

    Takes the place of `flow`, to compare the two. In the papers all moments count alike: decode.image.times=uniform.

    Source:
        Ho et al. 2020, arXiv:2006.11239, eq. 14; the path: Nichol and Dhariwal 2021, arXiv:2102.09672, eq. 17.
    Differs:
        moments are numbers from 0 to 1, none of a thousand steps.
    Raises:
        ConfigError: the decoder does not say the noise.
    """

    def __init__(self, config: Config):
        self.config = config

    def __call__(self, made: Made, batch: Batch) -> Terms:
        error = squared_error(made, self.config.route, "noise")
        return Terms() if error is None else Terms({"diffusion": error})
