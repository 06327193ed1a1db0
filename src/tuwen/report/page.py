"""The frame of a page: head, style, contents, sections. Nothing is loaded from elsewhere; the page forbids it itself."""

from __future__ import annotations

from collections.abc import Mapping

from tuwen.report._html import Html, join, tag

_ALONE = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Content security policy: pictures inside the file and its own style, nothing else."""


def page(title: str, sections: Mapping[str, Html], *, lead: Html | str = "") -> str:
    """A whole document.

    Args:
        title: stands at the top and in the tab.
        sections: heading -> body; empty ones are left out.
        lead: what stands below the title.
    Returns:
        The text of an HTML file that is read in UTF-8.
    """
    there = {name: body for name, body in sections.items() if body}
    links = [tag("a", name, href=f"#{_anchor(name)}") for name in there]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_ALONE),
        tag("title", title),
        tag("style", Html(_STYLE)),
    )
    body = tag(
        "body",
        tag("header", tag("h1", title), tag("div", lead, class_="lead") if lead else None),
        tag("nav", *links, aria_label="Contents") if len(links) > 1 else None,
        tag("main", *(tag("section", tag("h2", n), b, id=_anchor(n)) for n, b in there.items())),
        tag("footer", tag("p", "Made by tuwen. This file stands alone: it loads nothing and sends nothing.")),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def note(*text: object) -> Html:
    """Words of explanation, smaller and paler."""
    return tag("p", *text, class_="note")


def facts(rows: Mapping[str, object]) -> Html:
    """Names and values below each other; empty values are left out."""
    shown = [join([tag("dt", name), tag("dd", value)]) for name, value in rows.items() if value not in ("", None)]
    return tag("dl", *shown)


def folded(title: str, body: Html) -> Html:
    """Something that opens with a click; empty if it is."""
    return tag("details", tag("summary", title), body) if body else Html()


def _anchor(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())


_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --pale: #5d6876; --paper: #fdfdfb; --panel: #f3f4f1; --line: #d9dcd8;
  --one: #1f6fb2; --two: #c25a12; --three: #2c8a57; --four: #8a4fb5; --heat: #1f6fb2; --good: #2c8a57; --bad: #c0392b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ea; --pale: #98a2ad; --paper: #14181d; --panel: #1d232a;
  --line: #343c45; --one: #6cb2ec; --two: #f0985a; --three: #62c48d; --four: #c194e6; --heat: #4593d3; --good: #62c48d;
  --bad: #ee7b6d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .8rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.4rem 0 .6rem; }
.lead, .note, nav a, footer, figcaption .key, dt, summary { color: var(--pale); }
.note, footer, nav { font-size: .9rem; max-width: 46rem; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin: 1rem 0; }
a { color: var(--one); } nav a:hover { color: var(--one); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; margin: 0; font-size: .95rem; }
dd { margin: 0; overflow-wrap: anywhere; }
summary { cursor: pointer; margin: .8rem 0; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: middle; }
thead th { color: var(--pale); font-weight: 500; border-bottom: 1px solid var(--line); }
tbody th { font-weight: 500; } td.number, th.number { text-align: right; }
tbody tr + tr > * { border-top: 1px solid color-mix(in srgb, var(--line) 55%, transparent); }
svg { display: block; max-width: 100%; height: auto; font-size: 11px; }
svg text { fill: var(--pale); } svg .axis { stroke: var(--line); } svg .chance { stroke: var(--pale); stroke-dasharray: 4 4; }
svg .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; } svg .bar { stroke-width: 4; stroke-linecap: round; }
.c0 { stroke: var(--one); } .c1 { stroke: var(--two); } .c2 { stroke: var(--three); } .c3 { stroke: var(--four); }
.f0 { fill: var(--one); } .f1 { fill: var(--two); } .f2 { fill: var(--three); } .f3 { fill: var(--four); }
.b0 { background: var(--one); } .b1 { background: var(--two); } .b2 { background: var(--three); } .b3 { background: var(--four); }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .85rem; color: var(--pale); }
.legend i { display: inline-block; width: .7em; height: .7em; border-radius: 50%; margin-right: .4em; }
.grid { display: grid; gap: 1.2rem; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); }
figure { margin: 0; } figure.card { background: var(--panel); border-radius: .5rem; padding: .7rem; overflow: hidden; }
figure.card > img, .pair img { width: 100%; max-height: 11rem; object-fit: contain; border-radius: .3rem; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .4rem; }
figcaption { font-size: .9rem; margin-top: .5rem; overflow-wrap: anywhere; } figcaption p { margin: 0 0 .35rem; }
figcaption .said { font-weight: 600; } figcaption .key, .score { font-size: .8rem; }
figcaption ul { margin: .2rem 0 0; padding-left: 1.1rem; color: var(--pale); font-size: .84rem; }
.good { color: var(--good); } .bad { color: var(--bad); }
.heat th, .heat td { padding: .2rem .3rem; border: 0; text-align: center; } .heat tbody th { text-align: right; max-width: 22rem;
  font-weight: 400; font-size: .84rem; } .heat img { width: 3.2rem; height: 3.2rem; object-fit: cover; border-radius: .3rem; }
.heat td { min-width: 3rem; border-radius: .25rem; } .heat td.own { outline: 2px solid var(--two); outline-offset: -2px; }
.heat thead th { border: 0; font-size: .8rem; vertical-align: bottom; } .heat td.best { font-weight: 700; }
pre { background: var(--panel); border-radius: .5rem; padding: .8rem 1rem; overflow-x: auto; font-size: .85rem; line-height: 1.6; }
.tiles { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); margin: 1.4rem 0; }
.tiles div { background: var(--panel); border-radius: .5rem; padding: .8rem 1rem; } .tiles p { margin: .1rem 0 .3rem; color: var(--ink); }
.tiles b { font-size: 2rem; line-height: 1.2; color: var(--one); font-variant-numeric: tabular-nums; }
.cards.small { grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); } .card > div > img { width: 100%; border-radius: .3rem; }
.strip { display: grid; gap: .5rem; grid-auto-flow: column; grid-auto-columns: minmax(6.5rem, 1fr); overflow-x: auto;
  margin: .5rem 0 1.4rem; } .strip img { width: 100%; border-radius: .3rem; } .strip .score { line-height: 1.25; }
.map { position: relative; width: 100%; aspect-ratio: 16 / 10; background: var(--panel); border-radius: .5rem; margin: .6rem 0; }
.dot { position: absolute; width: .62rem; height: .62rem; margin: -.31rem; border-radius: 50%; opacity: .75; }
.dot:hover, .dot:focus { opacity: 1; z-index: 9; outline: 2px solid var(--ink); }
.dot span { display: none; position: absolute; bottom: 1rem; left: -4rem; width: 9rem; padding: .4rem; border-radius: .4rem;
  background: var(--paper); color: var(--ink); border: 1px solid var(--line); font-size: .8rem; line-height: 1.3; }
.dot.low span { bottom: auto; top: 1rem; } .dot.left span { left: 0; } .dot.right span { left: auto; right: 0; }
.dot:hover span, .dot:focus span { display: block; } .dot img { display: block; width: 100%; border-radius: .3rem; }
@media print { .dot span { display: none; } details > * { display: block; } }
"""
