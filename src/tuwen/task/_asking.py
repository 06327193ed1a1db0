"""What the tasks share: asking a model without changing it, cutting requests into batches, the Python form."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

from tuwen.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from tuwen.model import CrossModal
    from tuwen.types import Batch

Emit = Callable[[int, str], None]
"""Called with (number of the request, all that has been written for it) whenever something was added."""

Cancelled = Callable[[], bool]
"""Asked before every step; True ends the work with what there is."""

ROWS = 64
"""Requests that are answered at once."""

R = TypeVar("R")


@contextmanager
def asking(model: CrossModal) -> Iterator[None]:
    """In evaluation mode and without gradients; the model's train/eval flag is as before afterwards."""
    import torch

    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def alike(requests: Sequence[R], field: str) -> Iterator[tuple[list[int], list[R]]]:
    """Numbers and requests that differ in nothing but `field`, at most `ROWS` together."""

    def options(numbered: tuple[int, R]) -> str:
        return repr(dataclasses.replace(numbered[1], **{field: None}))  # type: ignore[type-var]

    for _, group in groupby(sorted(enumerate(requests), key=options), key=options):
        members = list(group)
        for start in range(0, len(members), ROWS):
            part = members[start : start + ROWS]
            yield [number for number, _ in part], [request for _, request in part]


def pictures(model: CrossModal, images: Sequence[Any]) -> Batch:
    """Pictures as a batch of the field `image`; one that cannot be read raises DataError and is named."""
    from tuwen.types import Sample

    return model.batch([Sample(str(i), {"image": image}) for i, image in enumerate(images)])


def ask(task: Any, model: CrossModal, values: Any, field: str, options: dict[str, Any]) -> Any:
    """The Python form of a task: one value gives one Response, a list gives a list of them.

    Args:
        options: of a Request; and `emit`, which takes what is there so far (of a list: the place in it and that), and
            `cancelled`, which is asked now and then whether to stop.
    Raises:
        ConfigError: an option that the task does not have, or a value that it cannot take.
        CannotError: the model was not trained for the task.
    """
    verb = task.__name__.rpartition(".")[2]
    known = [f.name for f in dataclasses.fields(task.Request) if f.name != field]
    more = {name: value for name, value in options.items() if name in ("emit", "cancelled")}
    options = {name: value for name, value in options.items() if name not in more}
    for name in options.keys() - set(known):
        raise ConfigError(f"{verb} has no option {name!r}.{did_you_mean(name, known)} Options: {', '.join(known)}.")
    several = isinstance(values, list | tuple)
    requests = [task.Request(**{field: value}, **options) for value in (values if several else [values])]
    if "emit" in more and not several:
        more["emit"] = lambda _, text, tell=more["emit"]: tell(text)
    responses = task.run(model, requests, **more)
    return responses if several else responses[0]


def at_least(least: int, **values: int) -> None:
    """Raises ConfigError for the first value that is no whole number from `least`."""
    for name, value in values.items():
        if not isinstance(value, int) or value < least:
            raise ConfigError(
                f"{name} is {value!r}; it takes a whole number from {least}, for example {name}={max(least, 5)}"
            )
