"""Commands that are run one after the other, in one folder, as the command line runs them; none of them twice."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tuwen.errors import CannotError, ConfigError

_RECORD = "demo.json"


@dataclass(frozen=True, kw_only=True)
class Step:
    """A command of the demo."""

    about: str
    """What it does, in words."""
    tokens: tuple[str, ...]
    """What is typed after `tuwen`."""
    whole: str = ""
    """File below the folder that is there only when all of it is done."""

    def __str__(self) -> str:
        return shlex.join(("tuwen", *self.tokens))


class Record:
    """Which commands were begun and done in a folder.

    Raises:
        ConfigError: the folder holds something that is no demo.
    """

    def __init__(self, folder: Path):
        self.folder, self.path = folder, folder / _RECORD
        self.done: dict[str, bool] = {}
        """Command -> whether it came to its end; in order."""
        if self.path.is_file():
            self.done = json.loads(self.path.read_text("utf-8"))
        elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigError(f"{folder} is there and holds no demo; name a new folder: tuwen demo -o NEW_FOLDER")

    def has(self, key: str, step: Step) -> bool:
        """Whether a step was done, by its record or by what it leaves when it is."""
        whole = step.whole and (self.folder / step.whole).is_file()
        return self.done.get(key, False) or bool(key in self.done and whole)

    def begin(self, key: str, before: Sequence[str] = ()) -> bool:
        """Notes that a step begins, and forgets all but those `before` it; gives whether it had been begun earlier."""
        begun = key in self.done
        self.done = {**{one: self.done[one] for one in before if one in self.done}, key: False}
        self._write()
        return begun

    def end(self, key: str) -> None:
        self.done[key] = True
        self._write()

    def _write(self) -> None:
        from tuwen._files import write_atomic

        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomic(self.path, json.dumps(self.done, indent=1) + "\n")


def run_all(wanted: Sequence[Step], keys: Sequence[str], record: Record, page: Path) -> None:
    """Runs the steps that are not done; what follows one that is run is run too.

    Args:
        keys: names of the steps in the record.
        page: what was made of an earlier run; removed when the first step is run.
    Raises:
        TuwenError: a command fails.
    """
    anew = False
    for number, (key, step) in enumerate(zip(keys, wanted, strict=True)):
        print(f"\n[{number + 1} of {len(wanted)}] {step.about}\n$ {step}", flush=True)
        anew = anew or not record.has(key, step)
        if not anew:
            print("there already", flush=True)
            continue
        _check_free(step, record, key)
        page.unlink(missing_ok=True)
        _run(_going_on(step, begun=record.begin(key, keys[:number])))
        record.end(key)


def _run(tokens: list[str]) -> None:
    """One command, as the command line runs it; what the model was not trained for is said and left out."""
    from tuwen import cli

    try:
        cli.run(tokens)
    except CannotError as error:
        print(f"left out: {error}", flush=True)


def _check_free(step: Step, record: Record, key: str) -> None:
    """Pictures of another demo are not replaced.

    Raises:
        ConfigError: there are some.
    """
    if step.whole and (record.folder / step.whole).is_file():
        there = next(iter(record.done), "")
        raise ConfigError(
            f"{record.folder} holds a demo with other pictures ({there}), and this one needs those of {key}; name another "
            f"folder: tuwen demo -o NEW_FOLDER"
        )


def _going_on(step: Step, *, begun: bool) -> list[str]:
    """The tokens of a command; training goes on where it was broken off, or begins anew over another model."""
    tokens = list(step.tokens)
    if step.tokens[0] != "train":
        return tokens
    model = Path(tokens[tokens.index("-o") + 1])
    if begun and (model / "state").is_dir():
        print("goes on where it was stopped", flush=True)
        return ["train", "-o", str(model), "--resume"]
    return [*tokens, "--overwrite"] if (model / "recipe.json").is_file() or (model / "state").is_dir() else tokens
