"""The text of HTML pages, as a browser shows it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.rows import Rejection
from llmbatch.readers.formats.html_text import html_text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<h1>Report</h1><p>Costs  fell.</p>\n<p>Rates\nrose.", "Report\nCosts fell.\nRates rose."),
        ("<p>Hello <b>world</b>! See <a href=x>this</a>.", "Hello world! See this."),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<ul><li>One<li>Two</ul>after", "One\nTwo\nafter"),
        ("<table><tr><td>a<td>b</tr><tr><td>c</td> <td>d</td></tr></table>", "a\tb\nc\td"),
        ("Fish &amp; chips &lt;5&nbsp;&euro; &#8212; caf&eacute;", "Fish & chips <5\xa0€ — café"),
        ("<script>x=1</script><style>p{}</style><nav>Home</nav><noscript>no</noscript>text<!-- c -->", "text"),
        ("<template>t</template><svg><text>s</text></svg><p hidden>h</p><div>shown</div>", "shown"),
        ("<pre>  a\n    b</pre>c", "  a\n    b\nc".strip()),
        ("<title>Name</title><p>Body", "Name\nBody"),
        ("<title>Body</title><h1>Body</h1>", "Body"),
        ("plain", "plain"),
        ("", ""),
        ("<frameset><frame src=x></frameset>", ""),
    ],
)
def test_a_page_is_read_as_its_visible_text(page: str, text: str) -> None:
    assert html_text(page, file="a.html") == text


@given(
    st.lists(
        st.sampled_from(
            [
                "<p>",
                "</p>",
                "<td>",
                "<tr>",
                "<table>",
                "<pre>",
                "</pre>",
                "<nav>",
                "</nav>",
                "<b>",
                "</i>",
                "a",
                "b",
                "\n",
                "<br>",
                "&lt",
            ]
        )
    )
)
def test_any_page_has_a_text(pieces: list[str]) -> None:
    text = html_text("".join(pieces), file="a.html")
    assert text == text.strip()
    assert "\n\n\n\n" not in text or "pre" in "".join(pieces)


def test_a_deeply_nested_page_is_read() -> None:
    assert html_text("<i>" * 5000 + "<span>" * 5000 + "deep", file="a.html") == "deep"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ('<meta charset="windows-1252">grün'.encode("cp1252"), "grün"),
        ('<META http-equiv=Content-Type content="text/html; charset=iso-8859-1">“quoted”'.encode("cp1252"), "“quoted”"),
        ("<?xml version='1.0' encoding='shift_jis'?><html><body>日本語".encode("cp932"), "日本語"),
        ("<meta charset=gb2312><p>汉字".encode("gb18030"), "汉字"),
        ("<meta charset=iso-2022-jp>日本".encode("iso2022_jp"), "日本"),
        ("<meta charset=iso-8859-1>grün".encode(), "grün"),
        ("<meta charset=utf-16>grün".encode(), "grün"),
        ("\ufeff<meta charset=cp1251>grün".encode(), "grün"),
        ("<p>grün".encode("utf-16"), "grün"),
        ("<meta charset=unheard-of>grün".encode(), "grün"),
    ],
)
def test_a_page_is_read_in_its_encoding(read: Any, page: bytes, text: str) -> None:
    (row,) = read(page, "in.html")
    assert row.text == text


def test_a_page_in_an_undeclared_encoding_is_rejected(read: Any) -> None:
    (row,) = read("<p>grün".encode("cp1252"), "in.html")
    assert isinstance(row, Rejection)
    assert row.kind == "bad_encoding"
    assert read("<p>grün".encode("cp1252"), "in.html", encoding="cp1252")[0].text == "grün"
