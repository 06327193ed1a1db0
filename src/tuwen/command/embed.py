"""Vectors of a data set's pictures and texts in the shared space.

Example:
    tuwen embed model photos/ -o vectors.parquet
    tuwen embed model photos/ -o vectors.npy --field image --html map.html
    tuwen embed matches,matches_too photos/ --split train -o vectors.npy
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tuwen._files import check_file, write_atomic
from tuwen.data._vectors import Vector, open_sink
from tuwen.errors import CannotError, ConfigError, DataError, ShapeError

if TYPE_CHECKING:
    from tuwen.types import Batch, Sample


@dataclass(frozen=True, kw_only=True)
class Request:
    model: str
    """Model directory; or several that match, with commas between: their vectors stand side by side, so that a cosine is the
    mean of theirs."""
    data: str
    """A folder, a table, a JSON of splits, or `scenes`."""
    out: str = ""
    """FILE.parquet with the columns key, field, text, vector; or FILE.npy, with the others in FILE.jsonl beside it."""
    html: str = ""
    """HTML page with a map of the vectors in two dimensions, a picture at each dot."""
    layout: Literal["pca", "tsne"] = "pca"
    """How the map is made: pca, directions of largest variance; tsne, neighbours stay neighbours (slower)."""
    field: tuple[str, ...] = ()
    """Field to embed, as image or text; give several; none: all that the model encodes and the data has."""
    split: str = ""
    """Part of the data: test, val, train, or a name of its own; empty: all rows."""
    rows: int = 0
    """The first rows only; 0: all."""
    set: tuple[str, ...] = ()
    """A setting PATH=VALUE of how the data is read, as in data.text_column=title; give several."""
    device: str = "auto"
    """cpu, cuda, mps, or auto: the first that is there of cuda, mps, cpu."""


@dataclass(frozen=True, kw_only=True)
class Response:
    vectors: dict[str, int]
    """Field -> number of its vectors."""
    width: int
    """Numbers of a vector; its length is 1, so a dot product is a cosine."""
    out: str
    """File that the vectors were written to."""
    html: str
    """File that the map was written to."""
    left_out: dict[str, str]
    """Key -> why of rows that cannot be read, where data.on_error is "skip"."""
    note: str
    """What is to be said of them; empty where there are none."""


def run(request: Request) -> Iterator[Response]:
    """One response.

    Raises:
        TuwenError: model, data or files cannot be used.
    """
    _check(request)
    from tuwen.command._ask import open_model
    from tuwen.command._read import batches, left_out, located, read_rows

    model = open_model(request.model, request.device, several="match")
    rows = read_rows("embed", model.recipe, request.data, split=request.split, settings=request.set, rows=request.rows)
    fields = _fields(model, rows.fields, request.field)
    told = [row.key for row in rows if any(_values(row.fields.get(name)) for name in fields)] if request.html else []
    shown = set(told[:: max(1, -(-len(told) // 300))])
    mapped, counts, broken = list[Vector](), dict.fromkeys(fields, 0), dict[str, str]()
    width = 0
    with ExitStack() as stack:
        sink = stack.enter_context(open_sink(request.out)) if request.out else None
        for some, batch in batches(model, rows, broken):
            made = vectors(model, some, batch, fields)
            width = _same_width(made, width)
            for one in made:
                counts[one.field] += 1
            if sink is not None:
                sink.write(made)
            mapped += [one for one in made if one.key in shown]
    if request.html:
        _write_map(request, mapped, {sample.key: sample for sample in located(rows, rows.options)})
    note = left_out(broken, len(rows))
    yield Response(vectors=counts, width=width, out=request.out, html=request.html, left_out=broken, note=note)


def _check(request: Request) -> None:
    """What can be said before torch is loaded."""
    if not request.out and not request.html:
        raise ConfigError(
            f"it is not said where the vectors go; add -o vectors.parquet: tuwen embed {request.model} {request.data} "
            "-o vectors.parquet"
        )
    if request.out:
        open_sink(request.out)
    if request.html:
        check_file(request.html)


def _fields(model: Any, there: Sequence[str], asked: Sequence[str]) -> list[str]:
    """Fields to embed.

    Raises:
        CannotError: the model does not encode a field.
        DataError: the data has none of them.
    """
    known = list(model.encoders.keys())
    for name in asked:
        if name not in known:
            raise CannotError(f"this model has no encoder of {name!r}; --field takes: {', '.join(known)}.")
    found = [name for name in (asked or known) if name in there]
    if not found:
        wanted = " or ".join(asked or known)
        raise DataError(f"the data has no field {wanted}; it has: {', '.join(there)}. Name one of them with --field.")
    return found


def vectors(model: Any, samples: Sequence[Sample], batch: Batch, fields: Sequence[str]) -> list[Vector]:
    """Every value of some rows in the shared space, a row's values after each other in the order of `fields`.

    Args:
        batch: the rows as the model reads them.
    """
    import torch.nn.functional as F

    from tuwen.task._asking import asking

    found: list[tuple[int, Vector]] = []
    with asking(model):
        for name in fields:
            if name not in batch.inputs:
                continue
            feed = batch.inputs[name]
            place_PD = F.normalize(model.latent(name, feed).pooled.float(), dim=-1).cpu().numpy()
            is_text = model.encoders[name].modality == "text"
            texts = [one if is_text else "" for sample in samples for one in _values(sample.fields.get(name))]
            for i, (row, text) in enumerate(zip(feed.owner_P.tolist(), texts, strict=True)):
                found.append((row, Vector(key=samples[row].key, field=name, text=text, place=place_PD[i])))
    return [vector for _, vector in sorted(found, key=lambda pair: pair[0])]


def _values(value: Any) -> list[Any]:
    """The values that a row has of a field."""
    values = value if isinstance(value, list | tuple) else [value]
    return [one for one in values if one is not None]


def _same_width(made: Sequence[Vector], width: int) -> int:
    widths = {one.field: len(one.place) for one in made}
    if len({width or next(iter(widths.values()), 0), *widths.values()}) > 1:
        said = ", ".join(f"{name} {count}" for name, count in widths.items())
        raise ShapeError(
            f"the fields are not in one space, they have different widths ({said}); name one with --field."
        )
    return next(iter(widths.values()), width)


def _write_map(request: Request, made: Sequence[Vector], samples: Mapping[str, Sample]) -> None:
    import numpy as np

    from tuwen.report.page import facts, page
    from tuwen.report.space import Dot, space_map

    dots = []
    for one in made:
        image = samples[one.key].fields.get("image") if one.field == "image" else None
        dots.append(Dot(field=one.field, key=one.key, text=one.text or one.key, image=image))
    drawn = space_map(np.stack([one.place for one in made]), dots, layout=request.layout)
    about = facts({"model": request.model, "data": request.data, "part": request.split or "all"})
    Path(request.html).parent.mkdir(parents=True, exist_ok=True)
    write_atomic(request.html, page(f"Map of {request.data}", {"Shared space": drawn}, lead=about))


def show(response: Response) -> str:
    """How many vectors of what, and where they are."""
    counts = ", ".join(f"{number} of {name}" for name, number in response.vectors.items())
    where = " and ".join(filter(None, (response.out, response.html)))
    said = f"{counts}: vectors of {response.width} numbers, written to {where}"
    return "\n".join(filter(None, (said, response.note)))
