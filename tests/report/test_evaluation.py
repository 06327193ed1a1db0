"""The page of an evaluation of a tiny model that knows eight pictures."""

import re

import pytest
from tests import eight
from tests.report._read import Page

from tuwen.evaluation import Evaluation, evaluate
from tuwen.generate.greedy import Config as Greedy
from tuwen.report._look import Look, words
from tuwen.report.evaluation import evaluation_page
from tuwen.types import Sample


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    model = eight.model()
    rows = [Sample(s.key, {name: s.fields[name] for name in ("image", "text")}) for s in eight.samples()]
    evil = "<script>alert('x')</script>"
    rows[0] = Sample(evil, {**rows[0].fields, "text": [evil, *rows[0].fields["text"]]})
    log = tmp_path_factory.mktemp("log") / "log.jsonl"
    log.write_text('{"kind": "step", "step": 1, "loss": 2.0}\n{"kind": "step", "step": 2, "loss": 1.0}\n')
    found = evaluate(model, [model.batch(rows, targets=True)], method=Greedy(), bootstrap=True)
    return evaluation_page(Look(found=found, samples=rows, model=model, about={"model": "m"}, log=log))


def test_everything_that_the_model_allows_is_there(text):
    read = Page(text)
    titles = [section["id"] for section in read.named("section")]
    assert titles == ["figures", "captions", "texts-and-pictures", "map-of-the-shared-space", "training"]
    assert not read.wrong


def test_it_stands_alone(text):
    assert not re.search(r"(src|href)=\"(?!data:|#)", text) and "<script" not in text
    assert len(text) < 1_000_000


def test_every_picture_has_words(text):
    read = Page(text)
    inside = [image for image in read.named("img") if not image["alt"]]
    assert len(inside) == 8, "only those of the map, whose dot has the words"
    assert all(image["src"].startswith("data:image/") for image in read.named("img"))


def test_captions_stand_by_their_references(text):
    read = Page(text)
    alts = [image["alt"] for image in read.named("img")]
    assert {"a blue picture", "this is blue"} & {alt.removeprefix("Picture of row blue, captioned: ") for alt in alts}
    assert "alert('x')" in read.text and "CIDEr" in read.text


def test_a_model_that_knows_its_pictures_finds_them(text):
    assert "the own one is the best for 7 of 8 texts" in text or "the best for 8 of 8 texts" in text


def test_captions_of_another_system():
    rows = [{"key": str(i), "caption": f"a dog {i}", "references": [f"a dog {i}", "a cat"]} for i in range(4)]
    read = Page(evaluation_page(Look(found=Evaluation(figures={"cider": 1.0}, rows=rows, num_rows=4))))
    assert [section["id"] for section in read.named("section")] == ["figures", "captions"]
    assert not read.named("img") and not read.wrong


def test_nothing_at_all():
    assert not Page(evaluation_page(Look(found=Evaluation(figures={})))).named("section")


def test_a_scene_is_judged_by_its_statements():
    from tuwen.data.scenes import draw_one

    one = draw_one(0, "val", 0)
    rows = [{"key": one.key, "caption": one.fields["text"][0], "references": one.fields["text"]}]
    read = Page(evaluation_page(Look(found=Evaluation(figures={}, rows=rows), samples=[one])))
    assert re.search(r"(\d+) of \1 statements true; (\d+) of \2 of the scene said", read.text)


def test_words():
    assert words("short") == "short" and words("one two three", 8) == "one two…" and words("abcdefgh", 4) == "abc…"


def test_captions_without_references_leave_the_others_in_their_order():
    """Best and worst are by CIDEr where some row has references; it is said how many have none."""
    rows = [{"key": f"k{i}", "caption": "a red dog runs", "references": ["a red dog runs"]} for i in range(3)]
    rows += [{"key": "none", "caption": "a red dog runs", "references": []}]
    page = evaluation_page(Look(found=Evaluation(figures={"cider": 1.0}, rows=rows, num_rows=4)))
    assert "CIDEr with their references (listed; 1 others have none)" in page and "how sure the model is" not in page
    assert "k2" in page
