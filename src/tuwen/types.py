"""What flows between the parts.

Axis letters, as suffixes of tensors in the whole package:

    B batch rows      P values of a field (P captions belong to B rows by owner_P)      T tokens      D width
    C channels        H W pixels      S samples of sound      F frames      V vocabulary      K beams, codes or classes
    N real (unpadded) target tokens, packed in row-major order of their mask_PT
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    import torch

How = Literal["embed", "teach", "sample", "pair"]
"""How a route makes its field: embed only, teacher-forced, from the model's own outputs, or over re-paired rows."""

Picture = Any
"""A picture as a user gives it: a path, the bytes of a file, a PIL image, or an (H, W[, C]) uint8 array; readers of
larger files give a `tuwen.data._stored.Stored`, which loads one of these."""


def base_of(field: str) -> str:
    """The field that a derived one is made of: `image` of `image@codes`; any other is its own.

    A derived field is what the model itself makes of a field: its codes, say. No data has it.
    """
    return field.partition("@")[0]


class Widths(NamedTuple):
    """Widths of what a part makes: what the next part is built for."""

    tokens: int
    """D of tokens_PTD."""
    pooled: int
    """D of pooled_PD."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of the data: pictures stay undecoded paths or bytes until a worker needs them."""

    key: str
    """Name of the row, unique in its data set."""
    fields: Mapping[str, Any]
    """Field -> raw value or None: a `Picture` for image, a list of captions for text."""
    split: str | None = None
    """train, val or test, where the data says so."""
    where: str = ""
    """Where the row stands, for messages: 'row 231 of train.csv'."""


@dataclass(frozen=True, slots=True)
class Located:
    """A raw picture with what is needed to refuse it politely; whatever opens pictures takes it in place of one."""

    raw: Picture
    where: str = ""
    """Where its row stands, for messages."""
    max_pixels: int = 100_000_000
    """Width times height above which its header is refused."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One field of a batch as tensors. P values (captions, pictures) belong to B rows by `owner_P`."""

    data: torch.Tensor
    """(P, ...) what the part's `prepare` made."""
    owner_P: torch.Tensor
    """(P,) int64, ascending: the batch row that each value belongs to."""
    mask: torch.Tensor | None = None
    """(P, T) bool, True where data is real; None if everything is."""
    encoded: bool = False
    """True: data holds the tokens of a frozen encoder, read from the cache."""
    seed_P: torch.Tensor | None = None
    """(P,) int64 seed of the noise that each value was drawn of, where the two are to be learned together."""

    def to(self, device: torch.device | str) -> Feed:
        mask, seed_P = (None if more is None else more.to(device) for more in (self.mask, self.seed_P))
        return replace(self, data=self.data.to(device), owner_P=self.owner_P.to(device), mask=mask, seed_P=seed_P)

    def __len__(self) -> int:
        return len(self.data)


@dataclass(frozen=True, slots=True)
class Batch:
    """B rows as tensors: an encoder's `prepare` makes `inputs[field]`, a decoder's makes `targets[field]`."""

    keys: list[str]
    inputs: dict[str, Feed]
    targets: dict[str, Feed] = field(default_factory=dict)
    present: dict[str, torch.Tensor] = field(default_factory=dict)
    """Field -> (B,) bool."""
    raw: list[Sample] = field(default_factory=list)

    def to(self, device: torch.device | str) -> Batch:
        def move(feeds: dict[str, Feed]) -> dict[str, Feed]:
            return {name: feed.to(device) for name, feed in feeds.items()}

        present = {name: flag.to(device) for name, flag in self.present.items()}
        return replace(self, inputs=move(self.inputs), targets=move(self.targets), present=present)

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True)
class Terms:
    """Named scalars. Weighted and summed in one place only, the training loop."""

    values: dict[str, torch.Tensor] = field(default_factory=dict)
    reports: dict[str, torch.Tensor] = field(default_factory=dict)
    """Named scalars that are logged beside them and never minimised: the halves of a bound, the use of a codebook."""

    def __or__(self, other: Terms) -> Terms:
        return Terms({**self.values, **other.values}, {**self.reports, **other.reports})


@dataclass(frozen=True, slots=True)
class Latent:
    """Where something lies in a space. Rows are values P of the field it came from."""

    pooled: torch.Tensor
    """(P, D) one vector for the whole."""
    tokens: torch.Tensor | None = None
    """(P, T, D) one vector for each part: a cell of the grid, a word."""
    mask: torch.Tensor | None = None
    """(P, T) bool, True where a token is real; None if all are."""
    owner_P: torch.Tensor | None = None
    """(P,) the batch row of each value; None: row i belongs to batch row i."""
    grid: tuple[int, ...] | None = None
    """Shape that the tokens fold to: (rows, columns) of a picture."""
    scale: torch.Tensor | None = None
    """0-d, above 0: a match is scale_a * scale_b * cosine + bias_a + bias_b."""
    bias: torch.Tensor | None = None
    """0-d, see `scale`."""
    mean: torch.Tensor | None = None
    """(P, D), or (P, T, D) of each token: of a normal distribution, in a space that has one."""
    logvar: torch.Tensor | None = None
    """The logarithm of its variances."""
    codes: torch.Tensor | None = None
    """(P, T) int64, in a quantised space."""
    num_codes: int = 0
    """Codes K that there are in it."""
    aside: Terms = field(default_factory=Terms)
    """Terms that arose on the way (a commitment loss)."""

    def __len__(self) -> int:
        return len(self.pooled)

    def rows(self, index: torch.Tensor) -> Latent:
        """The same latent with rows picked by a (R,) int64 index or (P,) bool mask."""
        picked = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name in _ROW_FIELDS and value is not None:
                picked[f.name] = value[index]
        return replace(self, **picked)

    def at(self, place: torch.Tensor) -> Latent:
        """The same latent elsewhere.

        Args:
            place: (P, D) vectors, then its only tokens too, so that decoders of any kind can read them; or (P, T, D) tokens.
        """
        if place.ndim == 2:
            return replace(self, pooled=place, tokens=place[:, None], mask=None, grid=None)
        from tuwen.layers import masked_mean

        return replace(self, pooled=masked_mean(place, self.mask), tokens=place)

    def sample(self, generator: torch.Generator | None = None) -> Latent:
        """Where it has a distribution (mean, logvar): at a random draw of it. Else itself."""
        if self.mean is None or self.logvar is None:
            return self
        from tuwen.layers import normal_rows

        device = generator.device if generator else self.mean.device
        noise = normal_rows(len(self.mean), self.mean[:1].numel(), generator, device).to(self.mean)
        return self.at(self.mean + noise.view_as(self.mean) * (self.logvar / 2).exp())


_ROW_FIELDS = frozenset({"pooled", "tokens", "mask", "owner_P", "mean", "logvar", "codes"})


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a decoder made of a latent. For text the prediction is packed: N real target tokens."""

    prediction: torch.Tensor
    """Text: (N, V) logits. Pictures: (P, C, H, W) values 0 to 1. Labels: (P, K) logits of K classes. Codes: (P, T, K) logits."""
    target: torch.Tensor
    """Text: (N,) int64. Pictures: (P, C, H, W) values 0 to 1. Labels: (P,) int64, or (P, K) float where a row has several.
    Codes: (P, T) int64."""
    mask: torch.Tensor | None = None
    """Text: (P, T) bool, the N True places are those of `prediction`, in row-major order."""
    owner_P: torch.Tensor | None = None
    attention: torch.Tensor | None = None
    """(P, T, M) weights over the M tokens of the latent, where the decoder has them and was asked."""
    logprob: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    """Pictures: (P, C, H, W), of which the prediction is the sigmoid, where it is one."""
    says: Literal["velocity", "noise"] | None = None
    """Pictures that come of noise: what prediction and target are in place of pixels."""
    texts: list[str] | None = None
    """Text that the model wrote itself (how="sample"): the P texts; owner_P is then the batch row of each."""
    finished: torch.Tensor | None = None
    """With `texts`: (P,) bool, whether the end was written; False: cut by the decoder's max_tokens."""
    weight: torch.Tensor | None = None
    """Labels: of the shape of the target, what each counts where rare classes are to weigh as much as common ones."""


@dataclass(frozen=True, slots=True)
class Made:
    """Everything that one forward pass made; each thing is computed once."""

    latents: dict[str, Latent] = field(default_factory=dict)
    """By field, and by route for fused ones."""
    routes: dict[str, Decoded] = field(default_factory=dict)

    def aside(self) -> Terms:
        """Terms that arose on the way, in the spaces (a commitment loss); of a space other than the pictures' with the name
        of its field before them."""
        found = Terms()
        for name, latent in self.latents.items():
            before = "" if name == "image" else f"{name}_"
            found = found | Terms(
                {f"{before}{term}": value for term, value in latent.aside.values.items()},
                {f"{before}{term}": value for term, value in latent.aside.reports.items()},
            )
        return found


@dataclass(frozen=True, kw_only=True)
class Route:
    """What is made from what: *given* some fields, *make* one field, *how*."""

    given: tuple[str, ...]
    """Fields that the route reads."""
    make: str | None = None
    """Field that it makes; None with how='embed'."""
    how: How = "teach"
    fuse: str | None = None
    """Name of the recipe's fusion that joins several given fields."""
    samples: int = 1
    """With how='sample': texts that are drawn for each row; 0: the most probable one instead, without gradient."""

    def __str__(self) -> str:
        return " + ".join(self.given) + " -> " + (self.make or "space")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of the data before a recipe is made for it."""

    num_train: int
    """Samples of the training part."""
    num_captions: int = 0
    """Captions of the training part."""
    num_pairs: int = 0
    """Samples of the training part that have a picture and a text; 0: not counted."""
    fields: tuple[str, ...] = ("image", "text")
    """Fields that occur."""
    picture_side: int = 224
    """Median of the shorter side of the pictures, in pixels."""
    picture_channels: int = 3
    """1 where all pictures that were looked at are grey."""
    words_per_caption: float = 10.0
    """Mean number of words (characters in languages without spaces)."""
    split: dict[str, int] = field(default_factory=dict)
    """Split -> number of samples."""
    num_labels: int = 0
    """Different labels of the training part."""


__all__ = [
    "Batch",
    "Decoded",
    "Facts",
    "Feed",
    "How",
    "Latent",
    "Located",
    "Made",
    "Picture",
    "Route",
    "Sample",
    "Terms",
    "Widths",
    "base_of",
]
