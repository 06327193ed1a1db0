"""HTML that cannot be broken by what stands in it: whatever is not `Html` already is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

_VOID = frozenset({"img", "br", "hr", "meta", "link", "input", "col"})
"""Elements that have no end."""


class Html(str):
    """Text that is HTML already; `tag` and `join` make it."""

    __slots__ = ()


def tag(element: str, /, *children: object, **attributes: object) -> Html:
    """An element.

    Args:
        children: text, numbers or `Html`; None and False are left out.
        attributes: `class_` is class, `stroke_width` is stroke-width; True gives the bare name, None and False nothing.
    Example:
        >>> tag("p", "1 < 2", tag("b", "yes"), class_="a")
        '<p class="a">1 &lt; 2<b>yes</b></p>'
        >>> tag("img", alt='a "quoted" word', src="x")
        '<img alt="a &quot;quoted&quot; word" src="x">'
    """
    head = "".join([element, *(_attribute(key, value) for key, value in attributes.items())])
    return Html(f"<{head}>" if element in _VOID else f"<{head}>{join(children)}</{element}>")


def join(parts: Iterable[object]) -> Html:
    """Several, one after the other; what is not `Html` is escaped.

    Example:
        >>> join(["<script>", Html("<br>"), None, 3])
        '&lt;script&gt;<br>3'
    """
    kept = (part for part in parts if part is not None and part is not False)
    return Html("".join(part if isinstance(part, Html) else escape(str(part)) for part in kept))


def number(value: float) -> str:
    """A number as tables show it: four digits that count, and all of whole numbers.

    Example:
        >>> number(0.123456), number(12345), number(float("nan"))
        ('0.1235', '12345', 'nan')
    """
    return f"{value:.0f}" if abs(value) < 1e15 and value == round(value) else f"{value:.4g}"


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
