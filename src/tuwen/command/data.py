"""What is in a data set, and what is wrong with it.

Example: tuwen data photos/
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from tuwen.data._config import Data
from tuwen.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Request:
    data: str
    """A folder, a table, a JSON of splits, shards, IDX files, hub:OWNER/NAME, or `scenes` (the drawn world)."""
    out: str = ""
    """With `scenes`: new folder to write them to, as pictures with metadata.jsonl; empty: nothing is written."""
    on_error: Literal["raise", "skip"] = "skip"
    """raise: stop at the first row that cannot be used; skip: list them all."""
    image_column: str = ""
    """Column of a table that holds the pictures; empty: guessed."""
    text_column: str = ""
    """Column of a table that holds the captions; empty: guessed."""
    label_column: str = ""
    """Column of a table that holds the classes; empty: guessed."""
    classes: str = ""
    """Names of numbered classes from 0: with commas between, or a file of one name a line."""
    split_column: str = ""
    """Column of a table that says train, val or test; empty: guessed."""
    root: str = ""
    """Folder that relative picture paths start from; empty: the folder of the table."""
    num: int = 0
    """With `scenes`: pictures to draw for training, beside those to validate and test; 0: as many as usual."""
    set: tuple[str, ...] = ()
    """A setting PATH=VALUE of how the data is read, as in data.max_pixels=400000000; give several."""
    check_pictures: bool = True
    """Reads every header and compares contents; off: counts only."""


@dataclass(frozen=True, kw_only=True)
class Response:
    report: dict[str, Any]
    """Counts, sizes, words and problems, as tuwen.data._report.describe makes them."""
    out: str = ""
    """Folder that the rows were written to."""


def run(request: Request) -> Iterator[Response]:
    """One response.

    Raises:
        ConfigError: `out` or `num` with data that is not drawn.
        DataError: nothing can be read there, or `out` is a folder that holds something.
    """
    from tuwen.data import scenes
    from tuwen.data._dataset import open_data
    from tuwen.data._report import describe

    drawn = scenes.recognise(request.data)
    if (request.out or request.num) and not drawn:
        option = "out" if request.out else "num"
        raise ConfigError(
            f"{option} is for the drawn world only, not for {request.data!r}: tuwen data scenes --{option} ..."
        )
    path = _with_num(request.data, request.num) if drawn else request.data
    if request.out:
        scenes.write(request.out, path)
    yield Response(report=describe(open_data(path, _options(request)), request.check_pictures), out=request.out)


def _options(request: Request) -> Data:
    from tuwen.command._read import changed
    from tuwen.recipe import Recipe

    names = ("on_error", "image_column", "text_column", "label_column", "classes", "split_column", "root")
    options = Data(**{name: getattr(request, name) for name in names})
    return changed("data", Recipe(name="data", data=options), request.set).data


def _with_num(path: str, num: int) -> str:
    """scenes, scenes:SEED -> scenes:SEED:NUM.

    Raises:
        ConfigError: the path names another number already, or `num` is below 0.
    """
    if not num:
        return path
    if path.count(":") > 1 or num < 0:
        raise ConfigError(f"num is {num} with {path!r}; give one number above 0: tuwen data scenes --num 2000")
    return f"{path if ':' in path else 'scenes:0'}:{num}"


def show(response: Response) -> str:
    """The report as text to read."""
    from tuwen.data._report import show as show_report

    return show_report(response.report) + (f"\n  written to  {response.out}" if response.out else "")
