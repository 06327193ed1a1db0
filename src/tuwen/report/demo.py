"""The page of `tuwen demo`: what one model learned of the drawn world, and how to do the same with pictures of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuwen.data._scene_world import scene_in
from tuwen.report import captions, drawings, matches, reconstructions
from tuwen.report._html import Html, join, number, tag
from tuwen.report._look import Look
from tuwen.report.curves import events, training_curves
from tuwen.report.page import facts, folded, note, page
from tuwen.report.pictures import SIDE, card, tile
from tuwen.report.tables import figures_table
from tuwen.report.walk import walk

if TYPE_CHECKING:
    from tuwen.metric._scene_judge import Statement

TITLE = "What one model learned of pictures and words"
HEADLINES = {
    "statement_truth": "of what its captions say is true",
    "i2t_r1": "of the pictures find one of their own texts first, among all texts",
    "drawn_shape_colour": "of the texts about one thing are drawn in the right shape and colour, and nothing else",
    "unseen_named": "of the things in a shape and colour that it never saw together are named rightly",
}
"""Figure -> the words after it, at the top of the page."""
TEXTS = (
    "a large filled red circle in the centre",
    "a small outlined blue square at the top left",
    "a large outlined black star on the right",
    "a large filled green triangle at the bottom",
    "a large filled yellow diamond on the left and a small filled black circle on the right",
    "a large outlined purple circle at the top",
)
"""What is drawn; the last shape and colour never occur together in training."""
WALKS = (
    ("a large filled red circle on the left", "a large filled blue square on the right"),
    ("a large filled green triangle at the bottom", "a large filled orange star at the top"),
)
SHOWN = 6
"""Pictures of a row."""
NEXT = """tuwen data photos/                                      # what is there, and what is wrong with it
tuwen train photos/ -o model -r {recipe} --time-limit 20m
tuwen evaluate model photos/ --html report.html          # how good it is, beside chance
tuwen caption model new-photos/ -o captions.csv          # a sentence for every picture"""
"""What to type for a folder of pictures with texts beside them."""


def demo_page(look: Look, *, commands: Sequence[str]) -> str:
    """A whole document; what the model was not trained for is left out.

    Args:
        look: the evaluation on pictures that were kept from training, with model, rows and log.
        commands: the lines that made everything.
    """
    sections = {
        "It says what it sees": _said(look),
        "It finds what belongs together": matches.section(look),
        "It draws what you say": _drawn(look),
        "From one text to another": _walks(look),
        "It draws again what it saw": _again(look),
        "All figures, beside chance": _figures(look),
        "How it learned": training_curves(look.log, look.found.chance) if look.log else Html(),
        "Do it again": _lines(
            "\n".join(commands), "These lines made everything here; by hand they give the same figures."
        ),
        "Now with your own pictures": _next(look),
    }
    return page(TITLE, sections, lead=join([_lead(look), headlines(look)]))


def next_lines(recipe: str) -> str:
    """What to type for one's own folder."""
    return NEXT.format(recipe=recipe)


def headlines(look: Look) -> Html:
    """The figures of `HEADLINES` that there are, large, with what chance gives; empty where there are none."""
    found, tiles = look.found, []
    for name, meaning in HEADLINES.items():
        if name not in found.figures:
            continue
        chance = found.chance.get(name)
        beside = None if chance is None else tag("span", f"by chance {_percent(chance)}", class_="score")
        tiles.append(tag("div", tag("b", _percent(found.figures[name])), tag("p", meaning), beside))
    return tag("div", *tiles, class_="tiles") if tiles else Html()


def _percent(share: float) -> str:
    """One digit after the point below ten per cent, none above.

    Example:
        >>> _percent(0.981), _percent(0.002)
        ('98 %', '0.2 %')
    """
    return f"{100 * share:.1f} %" if 0 < share < 0.0995 else f"{100 * share:.0f} %"


def _lead(look: Look) -> Html:
    """Words for somebody who sees this for the first time, and what it took."""
    words = tag(
        "p",
        "One small model looked at drawn pictures of simple things with sentences about them, on this machine alone. Since "
        "then it has had one space for pictures and words: it says what it sees, finds what belongs together, and draws "
        "what it is told. Everything below is about pictures that were kept from it.",
    )
    return join([words, facts({**look.about, **_cost(look.log)})])


def _cost(log: Any) -> dict[str, object]:
    """What the training took, by its log."""
    last: dict[str, dict[str, Any]] = {event["kind"]: event for event in (events(Path(log)) if log else ())}
    found: dict[str, object] = {}
    if estimate := last.get("estimate"):
        found["size"] = f"{estimate['parameters'] / 1e6:.1f} million numbers, all learned here"
        found["machine"] = f"{estimate['device']}, threads: {estimate['threads']}, {estimate['precision']}"
    if done := last.get("done"):
        found["training"] = f"{done['step']} steps in {done['took_s'] / 60:.1f} minutes"
    return found


def _with(body: Html, words: str) -> Html:
    return join([note(words), body]) if body else Html()


def _said(look: Look) -> Html:
    """The first rows with their captions, and which statements of these are false; the others are folded away."""
    from tuwen.metric._scene_judge import judge_caption

    cards = []
    for row in look.rows("caption")[:SHOWN]:
        scene = scene_in(look.by_key[row["key"]].fields) if row["key"] in look.by_key else None
        if scene is None:
            continue
        found = judge_caption(row["caption"], scene)
        false = [*map(_statement, found.false), *found.unread]
        score = _verdict("every word is true" if not false else f"not so: {', '.join(false)}", right=not false)
        cards.append(card(look.picture(row["key"], f"Captioned: {row['caption']}"), said=row["caption"], score=score))
    if not cards:
        return Html()
    about = f"The first {len(cards)} of the pictures that were kept from it, as they come."
    more = folded("The best, the worst, and some picked at random", captions.section(look))
    return join([note(about), tag("div", *cards, class_="cards small"), more])


def _statement(one: Statement) -> str:
    """What a caption claims, in few words: 'red circle', 'red circle top left', 'red circle above blue star'."""
    value = one.value.replace("partly", "")
    return " ".join(filter(None, [one.subject, value, one.object]))


def _verdict(words: str, *, right: bool) -> Html:
    return tag("span", words, class_="good" if right else "bad")


def _drawn(look: Look) -> Html:
    """Pictures of `TEXTS`, each with what is seen in it; empty where the model does not draw from texts."""
    from tuwen.judge.drawings import able, see, told
    from tuwen.metric._scene_judge import scene_of
    from tuwen.metric._scene_look import compare

    if look.model is None or not able(look.model):
        return Html()
    cards = []
    for text in TEXTS:
        [made] = look.model.draw(text).pictures
        seen = told(compare(see(made), scene_of(text)))
        cards.append(card(tile(made, "", f"Drawn: {text}"), said=text, score=drawings.verdict(seen)))
    about = "Typed for this page. Shape and colour of the last one never occur together in what it learned from."
    more = folded("Drawn from descriptions of pictures that it never saw", drawings.section(look))
    return join([note(about), tag("div", *cards, class_="cards small"), more])


def _again(look: Look) -> Html:
    """A picture, what the model says of it, and what it draws when it is told that; then what it makes of it without words."""
    from tuwen.data._picture import open_picture

    model, cards = look.model, []
    can = model.can() if model is not None else []
    for row in look.rows("caption")[SHOWN : 2 * SHOWN] if {"caption", "draw"} <= set(can) else ():
        assert model is not None
        raw = look.by_key[row["key"]].fields["image"]
        [made] = model.draw(row["caption"] or "nothing").pictures
        pair = [tile(open_picture(raw, side=SIDE), "what it saw", f"Picture of row {row['key']}")]
        pair.append(tile(made, "what it drew", f"Drawn again from: {row['caption']}"))
        cards.append(card(tag("div", *pair, class_="pair"), said=row["caption"], key=row["key"]))
    about = "It says what a picture shows, forgets the picture, and draws it from its own words."
    told = _with(tag("div", *cards, class_="cards"), about) if cards else Html()
    made = reconstructions.section(look) if "reconstruct" in can else Html()
    return join([told, folded("Without words, through the shared space", made)])


def _walks(look: Look) -> Html:
    drawn = [walk(look.model, *ends) for ends in WALKS] if look.model is not None else []
    about = (
        "Drawn on the straight line between the vectors of two texts. Below each picture: what the model says of it."
    )
    return _with(join(drawn), about) if any(drawn) else Html()


def _figures(look: Look) -> Html:
    found = look.found
    words = (
        f"Of {number(found.num_rows)} pictures that were kept from training. 95 % intervals come from a bootstrap over "
    )
    words += "them; chance is what a model reaches that does not look."
    return _with(figures_table(found.figures, found.intervals, found.chance), words)


def _lines(text: str, words: str) -> Html:
    return _with(tag("pre", text), words) if text else Html()


def _next(look: Look) -> Html:
    recipe = look.model.recipe.name if look.model is not None else "unified"
    about = "A folder of pictures with a text file of the same name beside each is enough. Nothing leaves your machine."
    return _lines(next_lines(recipe), about)
