"""A map of a shared space: vectors in two dimensions, each a dot that shows its picture when it is pointed at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tuwen.report._html import Html, join, number, tag
from tuwen.report.page import note
from tuwen.report.pictures import picture

if TYPE_CHECKING:
    import numpy as np

POINTS = 600
"""Most dots of a map."""
THUMBNAIL = 112
"""Longer side of a picture on a map, in pixels."""

Layout = Literal["pca", "tsne"]


@dataclass(frozen=True, kw_only=True)
class Dot:
    """One value on the map."""

    field: str
    """image, text, ...; each is centred on its own mean."""
    key: str
    """Name of its row."""
    text: str = ""
    """The value itself, where it is text; a text of the row where it is a picture."""
    image: Any = None
    """Picture to show."""
    group: str = ""
    """What gives its colour; empty: its field."""


def space_map(vectors_ND: np.ndarray, dots: Sequence[Dot], *, layout: Layout = "pca", seed: int = 0) -> Html:
    """A map; at most `POINTS` dots, evenly picked.

    Args:
        vectors_ND: (N, D) of length 1.
        dots: N of them.
        layout: as `flat` takes it.
    """
    import numpy as np

    if len(dots) < 3:
        return Html()
    kept = np.unique(np.linspace(0, len(dots) - 1, POINTS).round().astype(int)) if len(dots) > POINTS else slice(None)
    vectors_ND, dots = vectors_ND[kept], [dots[i] for i in np.arange(len(dots))[kept]]
    colours = _colours(list(dict.fromkeys(dot.group or dot.field for dot in dots)))
    places_N2, about = flat(vectors_ND, [dot.field for dot in dots], layout, seed=seed)
    marks = [
        _mark(dot, colours[dot.group or dot.field], *place) for dot, place in zip(dots, places_N2.tolist(), strict=True)
    ]
    names = [tag("span", tag("i", style=f"background: {colour}"), name) for name, colour in colours.items()]
    label = f"Map of {len(dots)} vectors: {', '.join(colours)}"
    whole = tag("div", *marks, class_="map", role="group", aria_label=label)
    return join([note(about), tag("div", *names, class_="legend"), whole])


def flat(vectors_ND: np.ndarray, fields: Sequence[str], layout: Layout, *, seed: int = 0) -> tuple[np.ndarray, str]:
    """(N, D) vectors as (N, 2) places in 0 to 1, and what was done, in words.

    Each field is moved to its own mean first: pictures and texts of one model lie apart as a whole (Liang et al. 2022,
    arXiv:2203.02053), which would take the first axis and say nothing else. How far apart stands in the words.

    Args:
        layout: pca, the two directions of largest variance (numpy); tsne, neighbours stay neighbours (scikit-learn).
    """
    import numpy as np

    named, means = np.array(fields), {}
    centred_ND = np.array(vectors_ND, np.float64)
    for field in dict.fromkeys(fields):
        means[field] = centred_ND[named == field].mean(0)
        centred_ND[named == field] -= means[field]
    if layout == "tsne":
        from sklearn.manifold import TSNE

        nearest = min(30.0, max(1.0, (len(fields) - 1) / 3))
        places_N2 = TSNE(perplexity=nearest, init="pca", random_state=seed).fit_transform(centred_ND.astype(np.float32))
        about = f"t-SNE (van der Maaten and Hinton 2008) of {len(fields)} vectors: near ones stay near; distances say little."
    else:
        _, spread_K, axes_KD = np.linalg.svd(centred_ND, full_matrices=False)
        places_N2 = centred_ND @ axes_KD[:2].T
        kept = float((spread_K[:2] ** 2).sum() / max((spread_K**2).sum(), 1e-12))
        about = f"Principal components of {len(fields)} vectors; the two axes hold {kept:.0%} of their variance."
    if len(means) > 1:
        first, second = list(means)[:2]
        gap = number(float(np.linalg.norm(means[first] - means[second])))
        about += f" Each field is centred on its own mean; the means of {first} and {second} are {gap} apart."
    return _into_square(_padded(places_N2)), about


def _padded(places_N2: np.ndarray) -> np.ndarray:
    """Two columns, also where the vectors have only one direction."""
    import numpy as np

    return np.pad(places_N2, ((0, 0), (0, 2 - places_N2.shape[1])))


def _into_square(places_N2: np.ndarray) -> np.ndarray:
    low_2, high_2 = places_N2.min(0), places_N2.max(0)
    span_2 = high_2 - low_2
    span_2[span_2 == 0] = 1.0
    return (places_N2 - low_2) / span_2


def _colours(groups: Sequence[str]) -> dict[str, str]:
    """Colours of the page for few groups, hues for many."""
    names = ("one", "two", "three", "four")
    if len(groups) <= len(names):
        return {group: f"var(--{name})" for group, name in zip(groups, names, strict=False)}
    return {group: f"hsl({360 * i / len(groups):.0f} 62% 52%)" for i, group in enumerate(sorted(groups))}


def _mark(dot: Dot, colour: str, across: float, up: float) -> Html:
    sides = [name for name, on in (("low", up > 0.6), ("left", across < 0.15), ("right", across > 0.85)) if on]
    said = dot.text or dot.key
    shown = picture(dot.image, "", side=THUMBNAIL) if dot.image is not None else None
    style = f"left: {3 + 94 * across:.2f}%; top: {97 - 94 * up:.2f}%; background: {colour}"
    label = f"{dot.group or dot.field}: {said}"
    return tag(
        "a", tag("span", shown, said), class_=" ".join(["dot", *sides]), style=style, tabindex=0, aria_label=label
    )
