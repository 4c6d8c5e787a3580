"""Parts of a web page that opens without a network: sections, tables, figures, one style sheet. All text is escaped here."""

import functools
import html
from collections.abc import Callable, Iterable, Sequence
from importlib import resources

from spectral_jax.pages import style

NOTHING = "–"


class Best(str):
    """A cell in bold: the best of its column."""


class Words(str):
    """A cell of text: set to the left, and broken over lines."""


def escape(text: object) -> str:
    """Text as it may stand in HTML, attributes included."""
    return html.escape(str(text), quote=True)


def number(value: float | None, digits: int = 3, sign: bool = False) -> str:
    """A number with that many decimals and a true minus; a dash where there is none."""
    if value is None:
        return NOTHING
    rounded = round(value, digits) + 0.0  # no negative zero
    return f"{rounded:{'+' if sign else ''}.{digits}f}".replace("-", "−")


def percent(value: float | None, digits: int = 0) -> str:
    """A share as percent."""
    return NOTHING if value is None else f"{number(100 * value, digits)} %"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f"<p{f' class={kind}' if kind else ''}>{escape(text)}</p>"


def note(text: str) -> str:
    """Small print."""
    return paragraph(text, "note")


def absent(text: str) -> str:
    """The sentence that stands where something is left out."""
    return paragraph(text, "absent")


def heading(text: str) -> str:
    """Heading inside a section."""
    return f"<h3>{escape(_capital(text))}</h3>"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def table(header: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "", ours: Callable = lambda row: False) -> str:
    """A table that scrolls sideways on a narrow screen.

    Args:
      header: names of the columns.
      rows: cells, plain text; `Best` is bold, `Words` is broken over lines.
      caption: above it.
      ours: which rows are tinted.
    """
    rows = list(rows)
    # A heading stands over its column as the column's cells do.
    words = {at for row in rows for at, text in enumerate(row) if isinstance(text, Words)}
    head = "".join(f"<th{' class=text' if at in words else ''}>{escape(name)}</th>" for at, name in enumerate(header))
    body = "".join(f"<tr{' class=ours' if ours(row) else ''}>{''.join(map(_cell, row))}</tr>\n" for row in rows)
    title = f"<caption>{escape(_capital(caption))}</caption>" if caption else ""
    return f'<div class="scroll"><table>{title}<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'


def _cell(text: str) -> str:
    if isinstance(text, Best):
        return f"<td><b>{escape(text)}</b></td>"
    return f"<td{' class=text' if isinstance(text, Words) else ''}>{escape(text)}</td>"


def figure(draw: Callable, alt: str, caption: str = "") -> str:
    """A drawn figure with its words for those who cannot see it; a sentence where matplotlib is missing."""
    try:
        uri = style.as_svg(draw)
    except ImportError as error:
        return absent(f"Figure left out ({alt}): {error}")
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure><img alt="{escape(alt)}" src="{uri}">{below}</figure>'


def grid(figures: Iterable[str]) -> str:
    """Figures side by side where there is room, one below the other on a phone."""
    return f'<div class="grid">{"".join(figures)}</div>'


def details(summary: str, *parts: str) -> str:
    """Parts that open on a click."""
    return f"<details><summary>{escape(summary)}</summary>{''.join(parts)}</details>"


def code(text: str) -> str:
    """Commands, as they are typed."""
    return f"<pre>{escape(text)}</pre>"


def page(title: str, banner: str, headline: str, sections: dict[str, str]) -> str:
    """The whole page.

    Args:
      title: of the page.
      banner: HTML above everything; may be empty.
      headline: HTML below the title.
      sections: heading -> HTML, in order.
    """
    links = "".join(f'<li><a href="#part-{k}">{escape(name)}</a></li>' for k, name in enumerate(sections))
    body = "\n".join(
        f'<section id="part-{k}"><h2>{escape(name)}</h2>\n{parts}</section>' for k, (name, parts) in enumerate(sections.items())
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
        f'<style>\n{_css()}</style></head>\n<body>{banner}<h1>{escape(title)}</h1>\n<div class="headline">{headline}</div>\n'
        f"<nav><ul>{links}</ul></nav>\n{body}\n</body></html>\n"
    )


@functools.cache
def _css() -> str:
    return resources.files("spectral_jax.pages").joinpath("page.css").read_text(encoding="utf-8")
