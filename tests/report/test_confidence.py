"""The reliability curve on the page."""

from tests.report._read import Page

from tuwen.evaluation import Evaluation
from tuwen.report._look import Look
from tuwen.report.confidence import section
from tuwen.report.evaluation import evaluation_page

TABLE = [{"num": 10.0, "probability": 0.2, "right": 0.1}, {"num": 10.0, "probability": 0.7, "right": 0.9}]
FIGURES = {"confidence_ece": 0.15, "cider_surer_half": 0.71}


def test_it_shows_the_curve_and_what_it_gains():
    page = Page(evaluation_page(Look(found=Evaluation(figures=FIGURES, tables={"reliability": TABLE}))))
    assert [one["id"] for one in page.named("section")] == ["figures", "confidence"] and not page.wrong
    assert "0.15 apart" in page.text and "has CIDEr 0.71" in page.text and "stands for 10 captions" in page.text
    [chart] = [one for one in page.named("svg") if "acceptable captions" in (one.get("aria-label") or "")]
    assert "this model from 0.1 to 0.9" in chart["aria-label"]


def test_a_model_that_is_not_calibrated_has_none():
    assert not section(Look(found=Evaluation(figures={"cider": 1.0})))


def test_notes_and_another_system_stand_on_the_page():
    from tuwen.judge._rates import Beside

    other = Beside(name="other.json", differences={"cider": 0.1}, intervals={"cider": (0.05, 0.15)})
    found = Evaluation(figures={"cider": 1.0}, notes=["3 captions are <empty>"])
    page = Page(evaluation_page(Look(found=found), beside=other))
    assert "3 captions are <empty>" in page.text and "Beside other.json" in page.text and "0.05 to 0.15" in page.text
    assert not page.wrong
