"""The eye of the judge: finds the things in a drawn picture by its pixels, and compares them with what should be there.

Each pixel is a mixture of the ground (a plane fitted to the pale pixels) and the nearest of the eight colours;
connected pixels are one thing, unless two colours share them; its shape, fill and size are those of the drawn template
that overlaps best. Made for soft or slightly noisy pictures of a learned generator too; junk that stands out of the
ground is reported as a thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

from tuwen.data._scene_draw import coverage
from tuwen.data._scene_language import main_relation
from tuwen.data._scene_world import COLOURS, EXTENT, FILLS, RADIUS, SHAPES, STROKE, Scene, Thing, holds, host
from tuwen.errors import DataError

TRAITS = ("shape", "colour", "size", "fill", "place")

_NAMES = tuple(COLOURS)
_RGB_K3 = np.asarray(list(COLOURS.values()), np.float32)
_ONES_31 = np.ones((3, 1), np.float32)
_SEEN, _SMALLEST, _TWO_COLOURS = 0.3, 8.0, 0.1
_SPLIT_RADIUS = (RADIUS["small"][1] + RADIUS["large"][0]) / 2
_AROUND = np.ones((3, 3), bool)


@dataclass(frozen=True, slots=True)
class SeenThing(Thing):
    """A thing found in a picture."""

    score: float = 1.0
    """Overlap with the best template, 0 to 1; drawn things reach 0.9, junk stays under 0.5."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What of a picture is as it should be."""

    right: list[str] = field(default_factory=list)
    """'size: red circle small', ...: what is there and was wanted."""
    wrong: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Names of the things that were wanted and not found."""
    extra: list[SeenThing] = field(default_factory=list)
    """Things that nobody wanted."""

    @property
    def exact(self) -> bool:
        return not (self.wrong or self.missing or self.extra)


def look(image_HW3: np.ndarray) -> list[SeenThing]:
    """The things in a picture of 64 x 64 pixels, in reading order.

    Args:
        image_HW3: uint8.
    Raises:
        DataError: not a (64, 64, 3) uint8 array.
    """
    image_HW3 = np.asarray(image_HW3)
    if image_HW3.shape != (64, 64, 3) or image_HW3.dtype != np.uint8:
        raise DataError(
            f"the judge looks at (64, 64, 3) uint8 pictures; got {image_HW3.shape} {image_HW3.dtype}."
            " Resize the picture to 64 x 64 and convert it to RGB first."
        )
    picture = image_HW3.astype(np.float32)
    colour_HW, alpha_HW = _unmix(picture, _ground(picture))
    seen = [_classify(mask, alpha_HW, colour) for mask, colour in _blobs(colour_HW, alpha_HW)]
    return sorted(seen, key=lambda t: (t.cell, -t.r))


def compare(seen: Sequence[SeenThing], wanted: Scene | Mapping[str, Any] | Sequence[Any]) -> Comparison:
    """What of the things seen is right, wrong, missing and extra.

    Args:
        seen: what `look` found.
        wanted: a Scene or its dict (then the relations of its full description count too), or things with the traits
            shape, colour, size, fill, place, of which None is not asked for (what `scene_of` reads in a caption).
    """
    if isinstance(wanted, Mapping):
        wanted = Scene.from_json(wanted)
    things: Sequence[Any] = wanted.things if isinstance(wanted, Scene) else wanted
    pairs = _pair(seen, things)
    result = Comparison(extra=[s for i, s in enumerate(seen) if i not in pairs.values()])
    for j, thing in enumerate(things):
        name = " ".join(filter(None, [thing.colour, thing.shape])) or "thing"
        if j not in pairs:
            result.missing.append(name)
            continue
        for trait in TRAITS:
            if value := getattr(thing, trait):
                got = getattr(seen[pairs[j]], trait)
                (result.right if got == value else result.wrong).append(f"{trait}: {name} {value}")
    if isinstance(wanted, Scene):
        for i, word, j in relations(wanted):
            if i in pairs and j in pairs:
                is_so = holds(word, seen[pairs[i]], seen[pairs[j]])
                text = f"relation: {things[i].colour} {things[i].shape} {word} {things[j].colour} {things[j].shape}"
                (result.right if is_so else result.wrong).append(text)
    return result


def relations(scene: Scene) -> Iterator[tuple[int, str, int]]:
    for i in range(len(scene.things)):
        if (outer := host(scene, i)) is not None:
            yield i, "inside", outer
    if main := main_relation(scene):
        yield main


def _pair(seen: Sequence[SeenThing], things: Sequence[Any]) -> dict[int, int]:
    """Index of a wanted thing -> index of the seen one, one to one; they share shape or colour if one is asked."""
    if not seen or not things:
        return {}
    weight = {"shape": 4, "colour": 4, "size": 1, "fill": 1, "place": 2}
    gain = np.zeros((len(things), len(seen)))
    for j, thing in enumerate(things):
        asked = [t for t in ("shape", "colour") if getattr(thing, t)]
        for i, s in enumerate(seen):
            if not asked or any(getattr(s, t) == getattr(thing, t) for t in asked):
                gain[j, i] = 0.1 + sum(w for t, w in weight.items() if getattr(s, t) == getattr(thing, t))
    rows, columns = linear_sum_assignment(-gain)
    return {int(j): int(i) for j, i in zip(rows, columns, strict=True) if gain[j, i] > 0}


def _ground(picture_HW3: np.ndarray) -> np.ndarray:
    """A plane through the pale pixels, twice, the second time without those that stand out."""
    height, width = picture_HW3.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    basis_P3 = np.stack([np.ones_like(x), x, y], -1).reshape(-1, 3)
    flat_P3 = picture_HW3.reshape(-1, 3)
    red_P, green_P, blue_P = flat_P3.T
    low = np.minimum(np.minimum(red_P, green_P), blue_P)
    high = np.maximum(np.maximum(red_P, green_P), blue_P)
    pale_P = (low > 175) & (high - low < 75)
    if pale_P.sum() < 400:
        return np.broadcast_to(np.median(flat_P3, 0), picture_HW3.shape)
    for _ in range(2):
        plane = np.linalg.lstsq(basis_P3[pale_P], flat_P3[pale_P], rcond=None)[0]
        fitted_P3 = basis_P3 @ plane
        closer_P = pale_P & (np.square(flat_P3 - fitted_P3) @ _ONES_31[:, 0] < 900)
        pale_P = closer_P if closer_P.sum() > 200 else pale_P
    return fitted_P3.reshape(picture_HW3.shape)


def _unmix(picture_HW3: np.ndarray, ground_HW3: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each pixel the colour whose mixture with the ground is nearest, and its share (0 to 1)."""
    off_HW3 = picture_HW3 - ground_HW3
    along_HWK = off_HW3 @ _RGB_K3.T - (off_HW3 * ground_HW3) @ _ONES_31  # off times the way from ground to colour
    size_HWK = (_RGB_K3**2).sum(1) - 2 * ground_HW3 @ _RGB_K3.T + (ground_HW3**2) @ _ONES_31
    share_HWK = np.clip(along_HWK / size_HWK, 0, 1)
    rest_HWK = share_HWK * (share_HWK * size_HWK - 2 * along_HWK)  # squared distance, but for |off|, the same for all
    colour_HW = rest_HWK.argmin(-1)
    return colour_HW, np.take_along_axis(share_HWK, colour_HW[..., None], -1)[..., 0]


def _blobs(colour_HW: np.ndarray, alpha_HW: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """(mask, colour) of each thing: connected pixels, cut where a second colour holds a large part of them."""
    labels_HW, num = ndimage.label(alpha_HW > _SEEN, _AROUND)
    for label in range(1, num + 1):
        mask = labels_HW == label
        weight_K = np.bincount(colour_HW[mask], alpha_HW[mask] ** 2, minlength=len(_NAMES))
        if weight_K.sum() < _SMALLEST:
            continue
        parts = [k for k in np.argsort(-weight_K) if weight_K[k] > max(_SMALLEST, _TWO_COLOURS * weight_K.sum())]
        if len(parts) < 2:
            yield mask, int(weight_K.argmax())
            continue
        for k in parts:
            pieces_HW, count = ndimage.label(mask & (colour_HW == k), _AROUND)
            for piece in range(1, count + 1):
                if alpha_HW[pieces_HW == piece].sum() >= _SMALLEST:
                    yield pieces_HW == piece, int(k)


def _classify(mask_HW: np.ndarray, alpha_HW: np.ndarray, colour: int) -> SeenThing:
    """The template that overlaps best: first coarsely over all, then finely around the best three."""
    reach_HW = ndimage.binary_dilation(mask_HW, _AROUND) & ((alpha_HW <= _SEEN) | mask_HW)
    shown_HW = np.where(reach_HW, alpha_HW, 0).astype(np.float32)
    top = max(float(np.quantile(shown_HW[mask_HW], 0.95)), 0.3)
    shown_HW = np.minimum(shown_HW / top, 1)
    (x, half_w), (y, half_h) = _span(shown_HW.max(0)), _span(shown_HW.max(1))
    box = _box(x, y, half_w, half_h)
    crop_HW = shown_HW[box]
    coarse, fine = np.array([0.94, 1.0, 1.06]), np.array([-0.6, 0.0, 0.6])
    steps = np.stack(np.meshgrid(fine, fine, [0.93, 1.0, 1.07]), -1).reshape(-1, 3)
    found = []
    for shape in SHAPES:
        r = (half_w / EXTENT[shape][0] + half_h / EXTENT[shape][1]) / 2
        tries = np.stack([np.full(3, x), np.full(3, y), r * coarse], -1)
        found += [(*_best(crop_HW, box, shape, fill, tries), shape, fill) for fill in FILLS]
    best: list[tuple[float, np.ndarray, str, str]] = []
    for _, centre, shape, fill in sorted(found, key=lambda f: -f[0])[:3]:
        tries = centre + steps * [1, 1, 0]
        tries[:, 2] *= steps[:, 2]
        best.append((*_best(crop_HW, box, shape, fill, tries), shape, fill))
    score, (x, y, r), shape, fill = max(best, key=lambda f: f[0])
    size = "large" if r > _SPLIT_RADIUS else "small"
    x, y, r = (round(float(v), 2) for v in (x, y, r))
    return SeenThing(shape, _NAMES[colour], size, fill, x, y, r, score=round(score, 3))


def _span(profile_S: np.ndarray) -> tuple[float, float]:
    """Middle and half length of the run of pixels above one half, to a part of a pixel."""
    inside = np.flatnonzero(profile_S > 0.5)
    if not len(inside):
        inside = np.flatnonzero(profile_S == profile_S.max())
    first, last = int(inside[0]), int(inside[-1])
    soft = [float(profile_S[i]) if 0 <= i < len(profile_S) else 0.0 for i in (first - 1, first, last, last + 1)]
    start, end = first + 1 - soft[0] - soft[1], last + soft[2] + soft[3]
    return (start + end) / 2, max((end - start) / 2, 1.0)


def _box(x: float, y: float, half_w: float, half_h: float) -> tuple[slice, slice]:
    def cut(middle: float, half: float) -> slice:
        return slice(max(0, int(middle - half - 4)), min(64, int(middle + half + 5)))

    return cut(y, half_h), cut(x, half_w)


def _best(
    crop_HW: np.ndarray, box: tuple[slice, slice], shape: str, fill: str, tries_N3: np.ndarray
) -> tuple[float, np.ndarray]:
    """(overlap, (x, y, r)) of the best of N templates; overlap is sum of minima over sum of maxima."""
    x_N11, y_N11, r_N11 = tries_N3.T[:, :, None, None].astype(np.float32)
    x = np.arange(box[1].start, box[1].stop, dtype=np.float32) + 0.5 - x_N11
    y = np.arange(box[0].start, box[0].stop, dtype=np.float32)[:, None] + 0.5 - y_N11
    stroke = np.where(r_N11 > _SPLIT_RADIUS, STROKE["large"], STROKE["small"])
    drawn_NHW = coverage(shape, fill, stroke, x, y, r_N11)
    both = np.minimum(drawn_NHW, crop_HW).sum((1, 2)) / (np.maximum(drawn_NHW, crop_HW).sum((1, 2)) + 1e-6)
    return float(both.max()), tries_N3[both.argmax()]
