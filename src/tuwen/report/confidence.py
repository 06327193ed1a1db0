"""Whether captions are as good as the model's confidence says."""

from __future__ import annotations

from tuwen.report._html import Html, join, number, tag
from tuwen.report._look import Look
from tuwen.report.curves import Line, chart
from tuwen.report.page import note

TITLE = "Confidence"


def section(look: Look) -> Html:
    """The reliability curve; empty where the model is not calibrated.

    Source:
        Guo et al. 2017, arXiv:1706.04599, section 2; bins of as many captions each.
    """
    table = look.found.tables.get("reliability", ())
    if not table:
        return Html()
    points = [(row["probability"], row["right"]) for row in table]
    lines = [Line(name="this model", points=points, dots=True), Line(name="ideal", points=[(0.0, 0.0), (1.0, 1.0)])]
    figures = look.found.figures
    about = "A caption is acceptable if its CIDEr is above the median of the rows that the confidence was fitted on. "
    if "confidence_ece" in figures:
        about += (
            f"On average, confidence and share of acceptable captions are {number(figures['confidence_ece'])} apart; "
        )
        about += f"the surer half of the captions has CIDEr {number(figures['cider_surer_half'])}. "
    about += f"Each dot stands for {number(table[0]['num'])} captions."
    drawn = chart("Share of acceptable captions by confidence", lines, x="confidence", square=True)
    return join([note(about), tag("div", drawn, class_="grid")])
