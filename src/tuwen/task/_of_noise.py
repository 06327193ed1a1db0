"""Pictures that come of noise, of several requests: which are drawn side by side, from what noise, near which picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from tuwen.errors import ConfigError, DataError
from tuwen.task._pictures import AT_ONCE, end_of, make, maker, painter, usual
from tuwen.task._texts import between_texts, of_texts
from tuwen.types import Latent, Located

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

    from tuwen.generate._flowing import Like
    from tuwen.model import CrossModal
    from tuwen.task._asking import Cancelled, Emit
    from tuwen.task.draw import Request

SIDE = 128
"""Up to this side `AT_ONCE` pictures are drawn side by side, of larger ones fewer."""


class _Stopped(Exception):
    """Cancelled between two steps."""


class _Near(NamedTuple):
    """The picture that a request is to be drawn near."""

    end_1CHW: Tensor
    """Where the flow ends for it."""
    kept_11HW: Tensor
    """Bool: what stays as it is along the way."""
    pasted: tuple[Tensor, Tensor] | None
    """Where the flow does not keep pixels itself: the picture, (1, C, H, W) from 0 to 1, and its hole, (1, 1, H, W) bool."""


class _Chance(NamedTuple):
    """All that is random in one picture."""

    noise_1CHW: Tensor
    """What it begins with."""
    more: torch.Generator
    """For what else it takes beside a part that is kept."""


ALONG_A_FLOW = ("like", "mask")
"""Options that only flows have."""


class OfNoise:
    """Draws some requests; all that is random is of each request's own seed.

    Args:
        way: name of the route.
        walk: of a request, among those that the route's decoder has, and with what it has learned to be followed with.
        emit, stop: as `tuwen.task.draw.run` takes them.
    Raises:
        CannotError: the model learned without texts, or a request has neither text nor picture.
        ConfigError: options of a flow for codes, or of codes for a flow.
        DataError: a picture or mask cannot be read, or the two do not belong together.
    """

    def __init__(
        self,
        model: CrossModal,
        way: str,
        requests: Sequence[Request],
        walk: Callable[[Request, Sequence[str], Mapping[str, Any]], Any],
        emit: Emit,
        stop: Cancelled,
    ):
        self.model, self.way, self.requests, self.emit, self.stop = model, way, requests, emit, stop
        self.decoder, self.painter = maker(model, way), painter(model, way)
        self.flows = hasattr(self.decoder, "velocity")
        if not self.flows and (odd := [name for name in ALONG_A_FLOW if any(one.has(name) for one in requests)]):
            raise ConfigError(f"this model draws codes, not along a flow; leave out {' and '.join(odd)}")
        self.walks = [walk(one, self.decoder.ways, usual(model, way)) for one in requests]
        self.generators: dict[int, torch.Generator] = {}
        self.near = {number: self._near(one) for number, one in enumerate(requests) if one.like is not None}
        self.done = 0

    def draw(self) -> list[list[np.ndarray]]:
        """All pictures of each request, candidates beside each other; none of those that were not finished."""
        drawn: list[list[np.ndarray]] = [[] for _ in self.requests]
        with suppress(_Stopped):
            for part in self.parts:
                for (number, _), picture in zip(part, self._drawn(part), strict=True):
                    drawn[number].append(picture)
        return [some if len(some) == one.all else [] for some, one in zip(drawn, self.requests, strict=True)]

    @cached_property
    def parts(self) -> list[list[tuple[int, int]]]:
        """(number of the request, which of its pictures) of those that are drawn side by side, in the same steps."""
        most = max(1, min(AT_ONCE, AT_ONCE * SIDE**2 // self.painter.side**2))
        kinds: dict[Any, list[tuple[int, int]]] = {}
        for number, one in enumerate(self.requests):
            kind = (self.walks[number].config, one.change, *(one.has(name) for name in ("like", "mask", "without")))
            kinds.setdefault(kind, []).extend((number, index) for index in range(one.all))
        return [rows[start : start + most] for rows in kinds.values() for start in range(0, len(rows), most)]

    @cached_property
    def steps(self) -> int:
        """Of all parts together."""
        firsts = [part[0][0] for part in self.parts]
        if not self.flows:
            return sum(self.decoder.length for _ in firsts)
        return sum(self.walks[number].steps(1 - self.requests[number].change) for number in firsts)

    def _drawn(self, part: Sequence[tuple[int, int]]) -> list[np.ndarray]:
        """One picture for each."""
        import torch

        if self.stop():
            raise _Stopped
        rows = [self.requests[number] for number, _ in part]
        chances = [self._chance(number) for number, _ in part]
        like: dict[str, Any] = {}
        if self.flows:
            like["like"] = self._like(part, [chance.more for chance in chances])
        made_PCHW = make(
            self.model, self.way, self._said(part), method=self.walks[part[0][0]],
            noise=torch.cat([chance.noise_1CHW for chance in chances]).to(self.model.device),
            away=of_texts(self.model, [one.without for one in rows]) if rows[0].without else None,
            told=self._told({number for number, _ in part}), **like,
        )  # fmt: skip
        found: list[np.ndarray] = self.painter.pictures(self._pasted(made_PCHW, part))
        return found

    def _pasted(self, made_PCHW: Tensor, part: Sequence[tuple[int, int]]) -> Tensor:
        """What was drawn in the holes of pictures, where the flow does not keep their pixels itself."""
        import torch

        pasted = [near.pasted for n, _ in part if (near := self.near.get(n)) is not None and near.pasted is not None]
        if not pasted:  # those that are drawn side by side all have a mask, or none has
            return made_PCHW
        pixels_PCHW, hole_P1HW = (torch.cat(both).to(made_PCHW.device) for both in zip(*pasted, strict=True))
        return torch.where(hole_P1HW, made_PCHW, pixels_PCHW)

    def _told(self, numbers: set[int]) -> Callable[[int, int], None]:
        def told(step: int, steps: int) -> None:
            self.done += 1
            for number in numbers:
                self.emit(number, f"step {self.done} of {self.steps}")
            if step < steps and self.stop():
                raise _Stopped

        return told

    def _chance(self, number: int) -> _Chance:
        """Of the next picture of a request; drawn one by one, so that no picture depends on how many there are."""
        import torch

        one = self.requests[number]
        if one.to or number not in self.generators:
            self.generators[number] = torch.Generator().manual_seed(one.seed)
        noise_1CHW, more = self.decoder.noise(1, self.generators[number]), torch.Generator()
        if one.mask is not None:
            more.manual_seed(int(torch.randint(2**62, (1,), generator=self.generators[number])))
        return _Chance(noise_1CHW, more)

    def _like(self, part: Sequence[tuple[int, int]], more: Sequence[torch.Generator]) -> Like | None:
        """The pictures to begin near, and what is kept of them."""
        import torch

        from tuwen.generate._flowing import Kept, Like

        first, device = self.requests[part[0][0]], self.model.device
        if first.like is None:
            return None
        end_PCHW, here_P1HW = (
            torch.cat(both).to(device)
            for both in zip(*((self.near[n].end_1CHW, self.near[n].kept_11HW) for n, _ in part), strict=True)
        )

        def fresh() -> Tensor:
            return torch.cat([self.decoder.noise(1, generator) for generator in more]).to(device)

        return Like(end_PCHW, first.change, None if first.mask is None else Kept(here_P1HW, fresh))

    def _said(self, part: Sequence[tuple[int, int]]) -> Latent:
        """What each picture is drawn of."""
        ends = []
        for number, index in part:
            one = self.requests[number]
            if one.like is None:
                one.require_text()
            ends.append((one.text, one.to or one.text, index / max(1, one.num - 1)))
        return between_texts(self.model, ends)

    def _near(self, request: Request) -> _Near:
        import torch
        from torch.nn.functional import max_pool2d

        most = self.model.recipe.data.max_pixels
        like = Located(request.like, "", most)
        end_1CHW, pasted = end_of(self.model, self.way, like), None
        kept_11HW = torch.zeros(1, 1, *end_1CHW.shape[2:], dtype=torch.bool)
        if request.mask is not None:
            hole_11HW = hole(self.painter, like, Located(request.mask, "", most))
            # a cell of the flow stays where none of its pixels is drawn anew
            kept_11HW = max_pool2d(hole_11HW.float(), self.painter.side // self.decoder.side) == 0
            if self.painter is not self.decoder:
                pasted = self.painter.prepare([like])[0].float() / 255, hole_11HW
        return _Near(end_1CHW, kept_11HW, pasted)


def hole(decoder: Any, like: Located, mask: Located) -> Tensor:
    """(1, 1, H, W) True where a picture is to be drawn anew: where its mask is rather white than black.

    Raises:
        DataError: the mask is of another shape than the picture, or the same everywhere.
    """
    from tuwen.data._picture import check_picture, open_picture

    picture, holes = check_picture(like), check_picture(mask)
    if abs(picture.width * holes.height - holes.width * picture.height) > max(holes.height, holes.width):
        raise DataError(
            f"the mask is {holes.width} x {holes.height} pixels and the picture {picture.width} x {picture.height}; they are "
            "of one shape. Make the mask of a copy of the picture: white where it is to be drawn anew, black elsewhere."
        )
    stays = 255 - open_picture(mask)  # the border that some models add is white, and stays too
    hole_11HW: Tensor = decoder.prepare([stays])[0].float().mean(1, keepdim=True) < 128
    if bool(hole_11HW.all()) or not bool(hole_11HW.any()):
        got = "white" if bool(hole_11HW.any()) else "black"
        raise DataError(
            f"the mask is {got} all over, in what this model sees of it (grey is white from the middle on): what is to be drawn anew "
            "is white or transparent in it, and what stays is black. Leave mask out to change the whole picture."
        )
    return hole_11HW


__all__ = ["OfNoise", "hole"]
