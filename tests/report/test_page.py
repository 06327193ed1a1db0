"""The frame of a page, and that nothing which stands in it can break it."""

import re

from tests.report._read import Page

from tuwen.report._html import Html, join, tag
from tuwen.report.page import facts, folded, page

EVIL = "</title><script>alert(1)</script>\"'&<img src=x onerror=alert(1)>"


def test_whatever_is_said_is_escaped():
    read = Page(page(EVIL, {EVIL: tag("p", EVIL, title=EVIL), "b": tag("p", "two")}, lead=facts({EVIL: EVIL})))
    assert not read.wrong and not read.named("script") and not read.named("img")
    assert read.named("p")[0]["title"] == EVIL and read.text.count("alert(1)") >= 5


def test_only_html_is_taken_as_it_is():
    assert tag("p", Html("<b>x</b>"), "<i>") == "<p><b>x</b>&lt;i&gt;</p>"
    assert join([tag("br"), None, False, 0]) == "<br>0"
    assert tag("a", hidden=True, href=None, class_="x", aria_label="<") == '<a hidden class="x" aria-label="&lt;"></a>'


def test_nothing_comes_from_elsewhere():
    text = page("a", {"one": tag("p", "1"), "two": tag("p", "2")})
    [policy] = [meta["content"] for meta in Page(text).named("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'")
    assert not re.search(r"https?:|@import|url\(|<script|<link", text)


def test_sections_and_contents():
    read = Page(page("a", {"Two words": tag("p", "1"), "empty": Html(), "more": tag("p", "2")}))
    assert [link["href"] for link in read.named("a")] == ["#two-words", "#more"]
    assert [section["id"] for section in read.named("section")] == ["two-words", "more"]
    assert not Page(page("a", {"one": tag("p", "1")})).named("nav")


def test_facts_leave_out_what_is_empty():
    assert facts({"a": 1, "b": "", "c": None, "d": 0}) == "<dl><dt>a</dt><dd>1</dd><dt>d</dt><dd>0</dd></dl>"
    assert folded("more", Html()) == ""
