"""Pictures are drawn once for all judges, each with its own noise, always the same."""

import json

import numpy as np
import pytest
from tests import autoencoders, drawing, eight

from tuwen.evaluation import evaluate
from tuwen.judge._drawn import PROMPTS, Drawn, drawable, drawn_sheet, first_text, request
from tuwen.judge._eyes import Eyes, open_eye
from tuwen.task import draw
from tuwen.task._pictures import GAP
from tuwen.types import Sample


@pytest.fixture
def asked(monkeypatch):
    """The requests that are drawn."""
    found, run = [], draw.run

    def counting(model, requests):
        found.extend(requests)
        return run(model, requests)

    monkeypatch.setattr(draw, "run", counting)
    return found


def test_once_for_all_judges(asked):
    model, rows = drawing.model(), [Sample(f"{i}{s.key}", s.fields) for i in range(4) for s in drawing.ROWS]
    batches = [model.batch(rows[start : start + 8], targets=True) for start in range(0, 20, 8)]
    eyes = Eyes(open_eye(str(eight.directory())))
    found = evaluate(model, batches, shuffled=False, eyes=eyes)
    assert len(asked) == 20 == len(found.drawn) and {"drawn_exact", "fid"} <= found.figures.keys()
    assert all({"drawn", "sample"} <= row.keys() for row in found.rows)
    del asked[:]
    evaluate(model, batches, shuffled=False, eyes=eyes, draws=17)
    assert len(asked) == 17


def test_a_row_is_drawn_with_the_options_that_are_asked_for():
    model, rows = drawing.flow(), eight.samples()[:2]
    options = {"steps": 1, "guidance": 1.0}
    for row, found in zip(rows, Drawn(options=options).of(model, rows), strict=True):
        asked = request(model, row)
        wanted = model.draw(asked.text, seed=asked.seed, **options).pictures[0]
        assert np.abs(found.astype(int) - wanted).max() <= 1
        assert (found != model.draw(asked.text, seed=asked.seed).pictures[0]).any()


def test_a_row_is_drawn_with_its_own_noise_always_the_same():
    model = autoencoders.model("vae")
    rows = autoencoders.samples()
    once, turned = Drawn().of(model, rows), Drawn().of(model, rows[::-1])[::-1]
    assert all(np.array_equal(a, b) for a, b in zip(once, turned, strict=True))
    assert len({picture.tobytes() for picture in once}) == len(rows)
    assert request(model, rows[0]).text == "" and request(drawing.model(), drawing.ROWS[0]).text.startswith("a large")


def test_rows_that_cannot_be_drawn():
    told, silent = drawing.ROWS[0], Sample("silent", {"image": drawing.ROWS[0].fields["image"], "text": []})
    assert drawable(drawing.model(), [silent, told]) == [told]
    assert (
        drawable(autoencoders.model("vae"), [silent, told]) == [silent, told] and drawable(eight.model(), [told]) == []
    )
    assert (
        first_text({"text": " a dog "}) == "a dog" and first_text({"text": ["a", "b"]}) == "a" and first_text({}) == ""
    )


def test_a_sheet_of_the_first_rows_knows_their_texts():
    made = drawn_sheet(drawing.model(), drawing.ROWS * 3, {})
    texts = json.loads(made.info["texts"])
    assert len(texts) == PROMPTS and texts[0] == drawing.ROWS[0].fields["text"][0]
    black = {row.key: np.zeros((64, 64, 3), np.uint8) for row in drawing.ROWS}
    assert not np.asarray(drawn_sheet(drawing.model(), drawing.ROWS[:1], black)).any(), "not drawn again"
    assert made.size == (3 * 64 + 2 * GAP, 3 * 64 + 2 * GAP)
    assert drawn_sheet(eight.model(), eight.samples(), {}) is None and drawn_sheet(drawing.model(), [], {}) is None
