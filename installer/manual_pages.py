"""The manual that comes with the add-on: pages of docs/ as HTML, which a browser opens without the internet."""

from __future__ import annotations

import html
import re
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = ("addon", "settings", "models", "pictures", "own-objects", "troubleshooting")

_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em;color:#222;background:#fff}"
    "pre{background:#eee;padding:.7em;overflow:auto}code{background:#eee}"
    "table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.2em .5em;vertical-align:top;text-align:left}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#222}pre,code{background:#333}a{color:#8bf}}"
)
_SPANS = re.compile(r"(`[^`]+`)|!\[([^\]]*)\]\([^)]*\)|\[([^\]]+)\]\(([^)]*)\)|\*\*([^*]+)\*\*|\*([^*]+)\*")
_ITEM = re.compile(r"(?:-|\d+\.) ")


def write_pages(folder: Path) -> list[Path]:
    """Write every page as HTML. Pictures are left out.

    folder: Path to write into; it exists.
    """
    written = []
    for name in PAGES:
        path = folder / f"{name}.html"
        path.write_text(page((DOCS / f"{name}.md").read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
        written.append(path)
    return written


def page(text: str) -> str:
    """A page of HTML.

    text: str, Markdown as docs/ has it: headings, paragraphs, lists, tables, code; links, bold, italics.
    """
    title = html.escape(re.search(r"^# (.+)$", text, re.MULTILINE)[1])  # type: ignore[index]
    head = f'<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>\n'
    return head + "\n".join(_blocks(re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL).splitlines())) + "\n</html>\n"


def slug(heading: str) -> str:
    """The name by which links find a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).lower()).replace(" ", "-")


def _blocks(lines: list[str]) -> list[str]:
    made: list[str] = []
    while lines:
        line = lines.pop(0)
        if line.startswith("```"):
            code = _taken(lines, lambda each: not each.startswith("```"))
            del lines[:1]
            made.append(f"<pre>{html.escape(chr(10).join(code))}</pre>")
        elif found := re.match(r"(#+) (.+)", line):
            level = len(found[1])
            made.append(f'<h{level} id="{slug(found[2])}">{_spans(found[2])}</h{level}>')
        elif line.startswith("|"):
            made.append(_table([line, *_taken(lines, lambda each: each.startswith("|"))]))
        elif found := _ITEM.match(line):
            made.append(_list(line, lines, "ul" if line.startswith("-") else "ol"))
        elif line.strip():
            rest = _taken(lines, lambda each: bool(each.strip()) and not _starts_block(each))
            made.append(f"<p>{_spans(' '.join([line, *rest]))}</p>")
    return made


def _starts_block(line: str) -> bool:
    return line.startswith(("#", "|", "```")) or _ITEM.match(line) is not None


def _taken(lines: list[str], fits) -> list[str]:  # type: ignore[no-untyped-def]
    """The first lines that fit, taken out of the list."""
    count = next((number for number, line in enumerate(lines) if not fits(line)), len(lines))
    taken = lines[:count]
    del lines[:count]
    return taken


def _list(first: str, lines: list[str], kind: str) -> str:
    """A list with what is indented below its items, which may be blocks of their own."""
    items: list[list[str]] = [[_ITEM.sub("", first, count=1)]]
    while lines:
        line = lines[0]
        if found := _ITEM.match(line):
            if ("ul" if line.startswith("-") else "ol") != kind:
                break
            items.append([line[found.end() :]])
        elif line.startswith("  "):
            items[-1].append(re.sub(r"^ {2,3}", "", line))
        elif not line.strip() and len(lines) > 1 and (lines[1].startswith("  ") or _ITEM.match(lines[1])):
            items[-1].append("")
        else:
            break
        del lines[:1]
    shown = ["<li>" + re.sub(r"^<p>(.*?)</p>", r"\1", "\n".join(_blocks(item))) + "</li>" for item in items]
    return f"<{kind}>{''.join(shown)}</{kind}>"


def _table(lines: list[str]) -> str:
    """A table. A row that begins with empty cells goes on with the row before. A setting's row can be linked to."""
    rows: list[list[str]] = []
    for line in lines:
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if all(re.fullmatch(r":?-+:?", cell) for cell in cells):
            continue
        if rows and not cells[0]:
            rows[-1] = [f"{above} {cell}".strip() for above, cell in zip(rows[-1], cells, strict=True)]
        else:
            rows.append(cells)
    made = []
    for number, row in enumerate(rows):
        named = re.match(r"`([\w.]+)`", row[0])
        mark = f' id="{named[1]}"' if named and number else ""
        cell = "td" if number else "th"
        made.append(f"<tr{mark}>" + "".join(f"<{cell}>{_spans(each)}</{cell}>" for each in row) + "</tr>")
    return f"<table>{''.join(made)}</table>"


def _spans(text: str) -> str:
    """Code, links, bold and italics in a line."""

    def shown(found: re.Match[str]) -> str:
        code, picture, words, target, bold, italic = found.groups()
        if code:
            return f"<code>{html.escape(code[1:-1])}</code>"
        if picture is not None:
            return f"<em>{html.escape(picture)}</em>"
        if words:
            place = _target(target)
            return f'<a href="{html.escape(place)}">{_spans(words)}</a>' if place else _spans(words)
        return f"<b>{_spans(bold)}</b>" if bold else f"<i>{_spans(italic)}</i>"

    pieces, end = [], 0
    for found in _SPANS.finditer(text):
        pieces += [_plain(text[end : found.start()]), shown(found)]
        end = found.end()
    return "".join([*pieces, _plain(text[end:])])


def _plain(text: str) -> str:
    return html.escape(re.sub(r"\\([*_|`])", r"\1", text), quote=False)


def _target(target: str) -> str:
    """Where a link leads; "" for a page that is not among these."""
    if target.startswith("#") or urllib.parse.urlsplit(target).scheme == "https":
        return target
    name, _, section = target.partition("#")
    if not name.endswith(".md") or name[:-3] not in PAGES:
        return ""
    return f"{name[:-3]}.html" + (f"#{section}" if section else "")
