"""What a model directory is: what it can do, its parts, sizes and figures.

Example:
    tuwen info model
    tuwen info model --card
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Request:
    model: str
    """Model directory."""
    card: bool = False
    """The model card, as it was written."""


@dataclass(frozen=True, kw_only=True)
class Response:
    path: str
    """The directory."""
    recipe: str
    """Name of the recipe."""
    can: list[str]
    """Tasks that it was trained for."""
    routes: dict[str, str]
    """Route -> what is made from what."""
    parts: dict[str, str]
    """Place -> the part that is there."""
    parameters: dict[str, int]
    """Place -> numbers in it; 'all' is their sum."""
    disk_mb: float
    """Size of the directory."""
    figures: dict[str, Any]
    """Figures of the validation part, of when it was kept."""
    settings: dict[str, Any]
    """The recipe as it was used, in full."""
    card: str = ""
    """The model card, if asked for."""


def run(request: Request) -> Iterator[Response]:
    """One response.

    Raises:
        CheckpointError: there is no such directory, or it is no model.
    """
    from tuwen.directory import load

    path = Path(request.model)
    model = load(path)
    raw = model.recipe.to_dict()
    figures = path / "figures.json"
    yield Response(
        path=str(path),
        recipe=model.recipe.name,
        can=model.can(),
        routes={name: str(route) for name, route in model.routes.items()},
        parts={f"{kind}.{name}": part["use"] for kind in _KINDS for name, part in raw[kind].items()},
        parameters=_parameters(model),
        disk_mb=round(sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 1e6, 1),
        figures=json.loads(figures.read_text("utf-8")) if figures.is_file() else {},
        settings=raw,
        card=(path / "card.md").read_text("utf-8") if request.card and (path / "card.md").is_file() else "",
    )


_KINDS = ("encode", "space", "fuse", "decode", "objective")


def _parameters(model: Any) -> dict[str, int]:
    held = {"encode": model.encoders, "space": model.spaces, "fuse": model.fusions, "decode": model.decoders}
    counts = {
        f"{kind}.{name}": sum(p.numel() for p in part.parameters())
        for kind, parts in held.items()
        for name, part in parts.items()
    }
    return {**counts, "all": sum(p.numel() for p in model.parameters())}


def show(response: Response) -> str:
    """A page of text, or the card."""
    if response.card:
        return response.card.rstrip()
    lines = [
        f"{response.path}: {response.recipe}, {response.parameters['all'] / 1e6:.2f} million parameters, "
        f"{response.disk_mb} MB",
        f"can: {', '.join(response.can) or 'nothing'}",
        *(f"  {name}: {route}" for name, route in response.routes.items()),
        "parts:",
    ]
    for place, part in response.parts.items():
        count = response.parameters.get(place)
        lines.append(f"  {place:<22} {part:<20} {'' if count is None else f'{count:,}'}".rstrip())
    if response.figures:
        lines.append("figures on the validation part:")
        lines += [
            f"  {name:<22} {value:.4g}" for name, value in response.figures.items() if isinstance(value, int | float)
        ]
    return "\n".join(lines)
