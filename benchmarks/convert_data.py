"""Public data sets as handed out -> tables that `tuwen train` reads: easy-VQA, spoken digits (FSDD), emoji.

    python benchmarks/convert_data.py OUT [--data FOLDER] [--only easy_vqa fsdd emoji]

    OUT/easy_vqa/rows.jsonl    image, text, label (the shape), colour, question and answer (lists): a row a picture
    OUT/fsdd/rows.csv          audio, text and label (the digit as a word), speaker, split
    OUT/emoji/rows.jsonl       image, text (the name), label (the category), tags, tone, split

FOLDER (else TUWEN_DATA) holds them under these names. Pictures and sounds are not copied: each table has a link beside it.
Sides are by picture, never by question: easy-VQA's follow the content of the picture, as tuwen does by itself; of the
spoken digits the recordings 5 to 9 of each speaker and digit test and 10 to 14 validate; all skin tones of one emoji
are on one side.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SHAPES = ("circle", "rectangle", "triangle")
COLOURS = ("black", "blue", "brown", "gray", "green", "red", "teal", "yellow")


def main(given: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder for the tables; made where it is not there")
    parser.add_argument("--data", default=os.environ.get("TUWEN_DATA", ""), help="folder of the data sets")
    parser.add_argument("--only", nargs="+", choices=sorted(CONVERTERS), default=sorted(CONVERTERS))
    args = parser.parse_args(given)
    for name in args.only:
        source = Path(args.data) / name
        if not args.data or not source.is_dir():
            parser.error(f"there is no folder {str(source)!r}; name the folder that holds {name} with --data")
        print(f"{CONVERTERS[name](source, args.out / name):,} rows in {args.out / name}")


def easy_vqa(source: Path, out: Path) -> int:
    """One row a picture, with all its questions."""
    asked: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for question, answer, number in json.loads((source / "train/questions.json").read_text("utf-8")):
        asked[number].append((question, answer))
    link(source / "train/images", out / "images")
    return write_jsonl(out / "rows.jsonl", (_picture(number, asked[number]) for number in sorted(asked)))


def _picture(number: int, asked: list[tuple[str, str]]) -> dict[str, Any]:
    """Shape and colour are what some question and its answer say is there; else they stay empty."""
    said = [word for question, answer in asked for word in _there(question.rstrip("?").split(), answer)]
    shape = next((word for word in said if word in SHAPES), None)
    colour = next((word for word in said if word in COLOURS), None)
    return {
        "image": f"images/{number}.png",
        "text": f"a {colour} {shape}" if shape and colour else None,
        "label": shape,
        "colour": colour,
        "question": [question for question, _ in asked],
        "answer": [answer for _, answer in asked],
    }


def _there(question: list[str], answer: str) -> list[str]:
    """Words of a question and its answer that are true of the picture."""
    if answer in ("yes", "no"):
        return question if (answer == "yes") != ("not" in question) else []
    return [*question, answer]


def fsdd(source: Path, out: Path) -> int:
    """One row a recording: DIGIT_SPEAKER_INDEX.flac."""
    link(source / "recordings", out / "recordings")
    rows = []
    for file in sorted((source / "recordings").iterdir()):
        if match := re.fullmatch(r"(\d)_(\w+)_(\d+)\.(flac|wav)", file.name):
            word, index = DIGITS[int(match[1])], int(match[3])
            split = "test" if index < 10 else "val" if index < 15 else "train"
            rows.append([f"recordings/{file.name}", word, word, match[2], split])
    with (out / "rows.csv").open("w", encoding="utf-8", newline="") as table:
        csv.writer(table).writerows([["audio", "text", "label", "speaker", "split"], *rows])
    return len(rows)


def emoji(source: Path, out: Path) -> int:
    """One row a picture; the tones of one emoji have its base name in common."""
    link(source / "png64", out / "png64")
    rows = json.loads((source / "emoji.json").read_text("utf-8"))
    kept = ("emoji", "base_name", "tone", "tags")
    return write_jsonl(
        out / "rows.jsonl",
        (
            {
                "image": row["file"],
                "text": row["name"],
                "label": row["category"],
                "split": side(row["base_name"]),
                **{name: row[name] for name in kept},
            }
            for row in rows
        ),
    )


def side(name: str) -> str:
    """train, val or test, eight to one to one, by a hash of the name."""
    tenth = int(blake2b(name.encode(), digest_size=8).hexdigest(), 16) % 10
    return {0: "val", 1: "test"}.get(tenth, "train")


def link(source: Path, place: Path) -> None:
    """A link, or a copy where the system has none."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        return
    try:
        place.symlink_to(source.resolve(), target_is_directory=True)
    except OSError:
        shutil.copytree(source, place)


def write_jsonl(file: Path, rows: Iterable[dict[str, Any]]) -> int:
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    file.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return len(lines)


CONVERTERS: dict[str, Callable[[Path, Path], int]] = {"easy_vqa": easy_vqa, "fsdd": fsdd, "emoji": emoji}


if __name__ == "__main__":
    main()
