"""The `data` section of a recipe: how a path is read and split."""

from dataclasses import dataclass
from typing import Literal, get_args

from tuwen.errors import ConfigError, did_you_mean

View = Literal["mirror", "zoom", "mirror_zoom"]
"""mirror: left and right exchanged; zoom: the middle, 0.8 of each side; mirror_zoom: both."""
Captions = Literal["one", "longest_first", "detailed", "all"]
"""Which captions of a picture a training step sees."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """How the data is read. Raises ConfigError where a value cannot work."""

    on_error: Literal["raise", "skip"] = "raise"
    """raise: stop at the first row that cannot be used; skip: leave it out, count it and list it."""
    image_column: str = ""
    """Column of a table that holds the pictures; empty: guessed by name, then by content."""
    text_column: str = ""
    """Column of a table that holds the captions; empty: guessed by name, then by content."""
    label_column: str = ""
    """Column of a table that holds the class, or several with | between; empty: label, labels, class or category."""
    classes: str = ""
    """Names of the classes whose numbers the data gives, from 0: with commas between, or a file of one name a line."""
    split_column: str = ""
    """Column of a table that says train, val or test; empty: 'split', where there is one."""
    root: str = ""
    """Folder that relative picture paths start from; empty: the folder of the table."""
    val: float = 0.1
    """Share of the pictures that validates, where the data has no such part; 0 to below 1."""
    test: float = 0.1
    """Share of the pictures that tests, where the data has no splits; 0 to below 1."""
    max_pixels: int = 100_000_000
    """Width times height above which a picture is refused from its header; 1 or more."""
    max_words: int = 1000
    """Words above which a caption is taken for a mistake; 1 or more."""
    captions: Captions = "one"
    """Captions that a training step sees: one, another each epoch; detailed: the longest beside that one; longest_first: the
    longest alone for 100,000 rows, then the one as well, and some of its clauses; all."""
    views: tuple[View, ...] = ()
    """Other views of a picture, made once: a training step sees the picture or one of them, at random; validation and use
    never do. mirror, zoom (the middle), mirror_zoom. Mirroring makes captions wrong that name left or right."""
    workers: int = 2
    """Threads or processes that decode pictures; 0: none beside the main one."""
    cache: str = ""
    """Folder of the feature cache; empty: TUWEN_CACHE, else ~/.cache/tuwen."""

    def __post_init__(self) -> None:
        if self.on_error not in ("raise", "skip"):
            raise ConfigError(f"data.on_error is {self.on_error!r}; it can be 'raise' or 'skip'.")
        if self.captions not in get_args(Captions):
            raise ConfigError(f"data.captions is {self.captions!r}; it can be {', '.join(get_args(Captions))}.")
        for view in self.views:
            if view not in get_args(View):
                raise ConfigError(
                    f"data.views has {view!r}.{did_you_mean(view, get_args(View))} It can be {', '.join(get_args(View))}, "
                    "or several with commas between."
                )
        if min(self.val, self.test) < 0 or self.val + self.test >= 1:
            raise ConfigError(
                f"data.val={self.val} and data.test={self.test} leave nothing to train on; "
                "both are 0 or more and their sum is below 1, as in data.val=0.1 data.test=0.1."
            )
        for name, least in (("max_pixels", 1), ("max_words", 1), ("workers", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"data.{name} is {getattr(self, name)}; it is {least} or more.")
