"""The manual as HTML: what docs/ uses of Markdown, and no link that leads nowhere.

Of: installer/manual_pages.py.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

from addon.blenders import ROOT

sys.path.insert(0, str(ROOT))

from installer.manual_pages import PAGES, page, slug, write_pages


def body(text: str) -> str:
    """The HTML of a text that follows a title."""
    return page(f"# Title\n\n{text}\n").partition("</h1>\n")[2].rpartition("\n</html>")[0]


def test_blocks_become_html() -> None:
    assert body("One\ntwo.") == "<p>One two.</p>"
    assert body("## A `b` c") == '<h2 id="a-b-c">A <code>b</code> c</h2>'
    assert body("```\na < b\n```") == "<pre>a &lt; b</pre>"
    assert body("- one\n  more\n- two") == "<ul><li>one more</li><li>two</li></ul>"
    assert body("1. one\n\n   ```\n   x\n   ```\n2. two") == "<ol><li>one\n<pre>x</pre></li><li>two</li></ol>"


def test_spans_become_html() -> None:
    assert body("**a** *b* `c*d*`") == "<p><b>a</b> <i>b</i> <code>c*d*</code></p>"
    assert body("[x](settings.md#mesh), [y](decisions/z.md)") == '<p><a href="settings.html#mesh">x</a>, y</p>'
    assert body("![A picture](images/a.png)") == "<p><em>A picture</em></p>"
    assert body("a & b <c> *") == "<p>a &amp; b &lt;c&gt; *</p>"


def test_a_setting_can_be_linked_to_and_its_row_goes_on() -> None:
    made = body("| setting | what |\n|---|---|\n| `a.b`\\* | one |\n| | two |")
    assert '<tr id="a.b"><td><code>a.b</code>*</td><td>one two</td></tr>' in made


class Parts(HTMLParser):
    """Names of sections, and links of a page. Fails where a tag is closed that is not open."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.names |= {given["id"] or ""} if "id" in given else set()
        self.links += [given["href"] or ""] if tag == "a" else []
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_pages_are_whole_and_their_links_lead_somewhere(tmp_path: Path) -> None:
    found: dict[str, Parts] = {}
    for path in write_pages(tmp_path):
        found[path.name] = Parts()
        found[path.name].feed(path.read_text(encoding="utf-8"))
        assert found[path.name].open == []
    assert set(found) == {f"{name}.html" for name in PAGES}
    for name, parts in found.items():
        for link in parts.links:
            if not link.startswith("https://"):
                file, _, section = link.partition("#")
                assert not section or section in found[file or name].names, f"{name}: {link}"


def test_a_heading_is_found_by_the_name_that_links_use() -> None:
    assert slug("What is `it`, and *why*?") == "what-is-it-and-why"
    assert re.fullmatch(r"[\w-]+", slug("Your request (exit 2)"))
