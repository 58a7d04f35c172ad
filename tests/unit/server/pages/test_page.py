"""The page for people shows every text and obeys none."""

from __future__ import annotations

import base64
import hashlib
from html.parser import HTMLParser
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from label_studio_ml.server.pages import page
from label_studio_ml.wire.replies import LastProblem, ModelHealth, ServedProject, State, StoreHealth

HOSTILE = "</style></td><script>alert(1)</script><img src=x onerror=alert(1)>\"'&lt;"
TAGS = {"meta", "title", "style", "h1", "span", "p", "b", "code", "a", "h2", "table", "tr", "th", "td"}


class Reader(HTMLParser):
    """The tags, the attributes and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def state(text: Any) -> State:
    """A state in which every text that comes from outside is this one."""
    return State(
        status="UP",
        model=ModelHealth(text, text),
        model_class=text,
        model_dir="unused",
        version="unused",
        store=StoreHealth("ok"),
        problems=[LastProblem(text, text, text, text)],
        queued_tasks=0,
        projects=[ServedProject(text, text)],
    )


def test_whatever_a_project_a_task_or_a_model_is_called_it_is_shown_and_not_obeyed() -> None:
    read = Reader(page.render(state(HOSTILE), f"http://{HOSTILE}"))
    assert read.tags == TAGS
    assert read.attributes == {"charset", "name", "content", "class", "href"}
    assert read.text.count(HOSTILE) == 11


@given(st.text())
def test_no_text_adds_a_tag_or_an_attribute(text: str) -> None:
    read = Reader(page.render(state(text), f"http://{text}"))
    assert read.tags == TAGS
    assert read.attributes == {"charset", "name", "content", "class", "href"}


def test_the_style_sheet_is_the_one_the_policy_allows() -> None:
    html = page.render(state("x"), "http://x")
    shown = html[html.index("<style>") + 7 : html.index("</style>")]
    digest = base64.b64encode(hashlib.sha256(shown.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in page.HEADERS["Content-Security-Policy"]
    assert "style=" not in html.replace(page.STYLE, "")
