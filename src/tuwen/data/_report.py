"""What `tuwen data` says: how much there is, what it looks like, what is wrong with it."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tuwen.data._columns import is_given
from tuwen.data._dataset import Dataset, labels
from tuwen.data._picture import Header, check_picture, looks_cut, open_picture
from tuwen.data._problem import Problem, grouped
from tuwen.data._stored import loaded
from tuwen.data._words import count_words, script
from tuwen.errors import DataError
from tuwen.types import Sample

MOST_CHECKED = 20_000
"""Pictures whose headers are read; of a larger data set every n-th."""


def describe(dataset: Dataset, check_pictures: bool = True) -> dict[str, Any]:
    """A report of plain values that JSON can hold.

    Args:
        check_pictures: reads headers (and decodes pictures whose end is not where it should be), and compares contents.
    """
    captions = [caption for sample in dataset for caption in sample.fields["text"]]
    problems, report = list(dataset.problems), _counts(dataset, captions)
    if check_pictures:
        headers, broken = _headers(dataset)
        problems += broken
        report["pictures"] = _pictures(headers)
        report["duplicates"] = {"pictures": _repeated(dataset), "captions": len(captions) - len(set(captions))}
    report["notes"] = list(_notes(dataset))
    report["left_out"] = sum(problem.left_out for problem in problems)
    report["problems"] = grouped(problems)
    return report


def show(report: dict[str, Any]) -> str:
    """The report as text to read."""
    words, captions = report["words"], report["captions"]
    per = captions["per_picture"]
    lines = [
        f"{report['name']}: {report['rows']:,} rows",
        "  splits      " + ", ".join(f"{name} {count:,}" for name, count in report["splits"].items()),
        "  fields      " + ", ".join(f"{name} ({count:,})" for name, count in report["fields"].items()),
        f"  captions    {captions['total']:,} ({captions['distinct']:,} different), {per['min']} to {per['max']} a row,"
        f" {captions['rows_without']:,} rows without",
        f"  words       {words['median']} a caption (median), 95 % up to {words['p95']}, longest {words['max']}",
        "  scripts     " + (", ".join(f"{name} {n:,}" for name, n in report["scripts"].items()) or "none"),
    ]
    if not captions["total"]:
        lines = lines[:3]
    lines += [_show_values(kind, report[kind]) for kind in ("labels", "answers") if kind in report]
    lines += _show_pictures(report) if "pictures" in report else []
    lines += [f"  note        {note}" for note in report["notes"]]
    return "\n".join([*lines, *_show_problems(report)])


def _show_values(kind: str, found: dict[str, Any]) -> str:
    most = ", ".join(f"{name} {count:,}" for name, count in found["commonest"].items())
    more = ", ..." if found["different"] > len(found["commonest"]) else ""
    per = found["per_row"]
    several = f", {per['min']} to {per['max']} a row" if per["max"] > 1 else ""
    return f"  {kind:<12}{found['total']:,} ({found['different']:,} different){several}: {most}{more}"


def _show_pictures(report: dict[str, Any]) -> list[str]:
    pictures, duplicates = report["pictures"], report["duplicates"]
    if not pictures["checked"]:
        return ["  pictures    none that can be read"]
    kinds = ", ".join(f"{name} {count:,}" for name, count in pictures["formats"].items())
    width, height = pictures["width"], pictures["height"]
    return [
        f"  pictures    {pictures['checked']:,} headers read: {kinds}",
        f"  sizes       {width['min']} to {width['max']} wide, {height['min']} to {height['max']} high,"
        f" median {width['median']} x {height['median']}",
        f"  duplicates  {duplicates['pictures']:,} pictures, {duplicates['captions']:,} captions",
    ]


def _show_problems(report: dict[str, Any]) -> list[str]:
    if not report["problems"]:
        return ["  problems    none found"]
    lines = [f"  problems    {sum(p['count'] for p in report['problems']):,}, {report['left_out']:,} left out"]
    for problem in report["problems"]:
        lines.append(f"    {problem['count']:,} x {problem['what']}. {problem['remedy']}")
        lines += [f"        {example}" for example in problem["examples"]]
    return lines


def _notes(dataset: Dataset) -> Iterable[str]:
    """What is worth knowing and no fault."""
    if "text" not in dataset.fields and "image" in dataset.fields:
        has = ", ".join(field for field in dataset.fields if field in ("label", "question", "answer", "audio"))
        yield (
            f"no captions{f', but {has}' if has else ', pictures alone: enough to train what reconstructs them'}. To caption "
            "or match, put a .txt of the same stem beside each picture or name a column with data.text_column."
        )


def _counts(dataset: Dataset, captions: Sequence[str]) -> dict[str, Any]:
    per_row = [len(sample.fields["text"]) for sample in dataset]
    words = [count_words(caption) for caption in captions]
    values = {"labels": [labels(sample) for sample in dataset], "answers": [_answers(sample) for sample in dataset]}
    return {
        "name": dataset.name,
        "rows": len(dataset),
        "splits": dataset.splits,
        "fields": {field: sum(is_given(sample.fields.get(field)) for sample in dataset) for field in dataset.fields},
        "captions": {
            "total": len(captions),
            "distinct": len(set(captions)),
            "rows_without": per_row.count(0),
            "per_picture": _spread(per_row),
        },
        "words": _spread(words),
        "scripts": dict(Counter(map(script, captions)).most_common()),
        **{name: _distribution(per_row) for name, per_row in values.items() if any(per_row)},
    }


def _answers(sample: Sample) -> list[str]:
    value = sample.fields.get("answer")
    return [] if value is None else list(map(str, value)) if isinstance(value, list | tuple) else [str(value)]


def _distribution(rows: Sequence[Sequence[str]], most: int = 5) -> dict[str, Any]:
    """How often each value of rows with none, one or several occurs."""
    counts = Counter(value for row in rows for value in row)
    return {
        "total": counts.total(),
        "different": len(counts),
        "commonest": dict(counts.most_common(most)),
        "per_row": _spread(map(len, rows)),
    }


def _spread(values: Iterable[int]) -> dict[str, int]:
    ordered = sorted(values) or [0]
    at = {"min": 0.0, "median": 0.5, "p95": 0.95, "max": 1.0}
    return {name: ordered[round(share * (len(ordered) - 1))] for name, share in at.items()}


def _pictures(headers: Sequence[Header]) -> dict[str, Any]:
    return {
        "checked": len(headers),
        "formats": dict(Counter(header.format for header in headers).most_common()),
        "modes": dict(Counter(header.mode for header in headers).most_common()),
        "width": _spread(header.width for header in headers),
        "height": _spread(header.height for header in headers),
    }


def _repeated(dataset: Dataset) -> int:
    """Pictures that are the same as an earlier one."""
    rows = zip(dataset, dataset.hashes, strict=True)
    contents = [digest for sample, digest in rows if sample.fields.get("image") is not None]
    return len(contents) - len(set(contents))


def _headers(dataset: Dataset) -> tuple[list[Header], list[Problem]]:
    """Headers of the readable pictures, and a problem for each of the others."""
    rows = [sample for sample in dataset if sample.fields.get("image") is not None]
    max_pixels = dataset.options.max_pixels

    def one(sample: Sample) -> Header | Problem:
        try:
            raw = loaded(sample.fields["image"])
            header = check_picture(raw, max_pixels=max_pixels, where=sample.where)
            if looks_cut(raw):
                open_picture(raw, side=32, max_pixels=max_pixels, where=sample.where)
            return header
        except DataError as error:
            where, _, why = error.message.partition(" cannot be read as an image: ")
            return Problem(where, "cannot be read as an image", "Mend it or remove the row.", why.split(". ")[0])

    with ThreadPoolExecutor(min(8, 2 * (os.cpu_count() or 1))) as pool:
        found = list(pool.map(one, rows[:: max(1, -(-len(rows) // MOST_CHECKED))]))
    headers = [item for item in found if isinstance(item, Header)]
    return headers, [item for item in found if isinstance(item, Problem)]
