"""Parts of a web page that opens without a network: sections, tables, figures, one style sheet. All text is escaped here."""

import html
from collections.abc import Callable, Iterable, Sequence

from spectral_jax.pages import style

CSS = """
:root { --ink: #1a1a1a; --soft: #595959; --line: #d9d9d9; --tint: #f4f6f8; --ours: #e3f0f8; --blue: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 68rem; color: var(--ink); background: #fff;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .4rem 0 1rem; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem; padding-top: .8rem; border-top: 2px solid var(--line); }
h3 { font-size: 1.02rem; margin: 1.4rem 0 .4rem; }
p, li { max-width: 46rem; }
.headline { background: var(--tint); border-left: 5px solid var(--blue); padding: .6rem 1rem; }
.headline p { font-size: 1.06rem; max-width: none; }
.banner { background: #b00020; color: #fff; font-weight: 700; font-size: 1.5rem; text-align: center; padding: .7rem 1rem;
  margin: 0 0 1rem; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
.banner small { display: block; font-size: .95rem; font-weight: 400; }
.note { color: var(--soft); font-size: .92rem; }
.absent { color: var(--soft); font-style: italic; }
nav ul { columns: 2 16rem; padding-left: 1.2rem; margin: .5rem 0; font-size: .95rem; }
a { color: var(--blue); }
.scroll { overflow-x: auto; margin: .5rem 0 1rem; }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .2rem 0 .3rem; }
th, td { padding: .22rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { vertical-align: bottom; background: var(--tint); font-weight: 600; }
th:first-child, td:first-child, td.text, th.text { text-align: left; }
td.text { white-space: normal; min-width: 6rem; }
th { white-space: normal; }
tr.ours td { background: var(--ours); }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); gap: .8rem 1.2rem; }
figure { margin: .4rem 0; break-inside: avoid; }
figure img { width: 100%; height: auto; max-width: 33rem; display: block; }
figcaption { color: var(--soft); font-size: .88rem; max-width: 33rem; }
details { margin: .5rem 0; } summary { cursor: pointer; color: var(--blue); }
pre { background: var(--tint); padding: .6rem .8rem; overflow-x: auto; font-size: .85rem; white-space: pre-wrap; }
@page { size: landscape; margin: 12mm; }
@media print { body { font-size: 10.5pt; max-width: none; padding: 0; } nav { display: none; } .scroll { overflow: visible; }
  table { font-size: 7.6pt; } th, td { padding: .1rem .3rem; } tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; } .grid { grid-template-columns: 1fr 1fr 1fr; } pre { break-inside: avoid; } }
"""
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
        f'<style>{CSS}</style></head>\n<body>{banner}<h1>{escape(title)}</h1>\n<div class="headline">{headline}</div>\n'
        f"<nav><ul>{links}</ul></nav>\n{body}\n</body></html>\n"
    )
