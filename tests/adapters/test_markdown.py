"""Runbook markdown where markdown is not spoken."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncall.adapters.markdown import cut, escape, mrkdwn, plain, plain_steps, slack_link, split
from oncall.config.runbook_file import read_runbook
from oncall.core.promises.why import CAUSE_WORDS
from oncall.core.runbook import Runbook
from oncall.web.views.runbooks import rendered

RUNBOOKS = sorted((Path(__file__).parents[2] / "include" / "runbooks").glob("*.md"))

SECTION = """\
**Check** that `master.orders` has *arrived*:

1. Open [the run](https://airflow.example.com/dags?a=1&b=2).
2. Ask the database:
   ```sql
   select 1 where 1 < 2
   ```
3. Then
   - first
   - second

| table | late |
| --- | --- |
| orders | 20 min |

## Verify
Done <soon> & well.
"""


def test_plain_text_keeps_words_numbers_code_and_addresses() -> None:
    """A phone shows the steps as a person would have typed them."""
    assert (
        plain(SECTION)
        == """\
Check that master.orders has arrived:

1. Open the run (https://airflow.example.com/dags?a=1&b=2).
2. Ask the database:
   select 1 where 1 < 2
3. Then
   • first
   • second

table | late
orders | 20 min

Verify

Done <soon> & well."""
    )


def test_slack_gets_its_own_marks_and_nothing_unescaped() -> None:
    """Bold, links and fences are Slack's; every other `& < >` is text."""
    assert (
        mrkdwn(SECTION)
        == """\
*Check* that `master.orders` has _arrived_:

1. Open <https://airflow.example.com/dags?a=1&amp;b=2|the run>.
2. Ask the database:
   ```
   select 1 where 1 &lt; 2
   ```
3. Then
   • first
   • second

table | late
orders | 20 min

*Verify*

Done &lt;soon&gt; &amp; well."""
    )


def test_lines_that_are_sentences_stay_apart() -> None:
    """Not run together into one; a sentence that was wrapped stays one."""
    section = "**Do:** read the log.\nA passing error: start\nthe day again.\n\n**Check**\n\n1. One\n   two."
    assert (
        plain(section)
        == "Do:\n• read the log.\n• A passing error: start the day again.\n\nCheck\n\n1. One two."
    )
    assert mrkdwn(section).startswith("*Do:*\n• read the log.\n")
    assert plain_steps(section) == (
        ("read the log.", "A passing error: start the day again."),
        "Check\n\n1. One two.",
    )
    assert plain_steps("one\nline") == (("one line",), "")
    assert plain_steps("") == ((), "")


@pytest.mark.parametrize("runbook", RUNBOOKS, ids=lambda path: path.stem)
def test_every_shipped_section_says_first_what_to_do(runbook: Path) -> None:
    """In three plain lines, with no mark of markdown left over and no code in the rest."""
    sections = read_runbook(runbook.stem, runbook.read_text()).pipeline.runbook.sections  # type: ignore[union-attr]
    for key in CAUSE_WORDS:
        first, rest = plain_steps(sections[key])
        assert len(first) == 3, key
        assert not re.search(r"\*\*|`|^#|\]\(|select |airflow dags", "\n".join(first)), first
        assert not re.search(r"\*\*|```|^#|\]\(|^select |^airflow ", rest, re.MULTILINE), rest
        assert "→ in the runbook, to copy" in rest


def test_a_bold_word_in_a_heading_does_not_end_the_heading() -> None:
    """Slack's marks do not nest."""
    assert mrkdwn("## Fix **now**") == "*Fix now*"


@pytest.mark.parametrize(
    ("markdown", "said"),
    [
        ("> quoted\n> twice", "> quoted twice"),
        ("one  \ntwo", "one\ntwo"),
        ("a ~~b~~", "a ~b~"),
        ("![graph](https://x/y.png)", "<https://x/y.png|graph>"),
        ("<https://x/y>", "<https://x/y|https://x/y>"),
        ("a\n\n---\n\nb", "a\n\n———\n\nb"),
        ("    indented", "```\nindented\n```"),
        ("<!-- for editors -->\nseen", "seen"),
        ("<b>html</b>", "&lt;b&gt;html&lt;/b&gt;"),
        ("<div>\nblock\n</div>", "&lt;div&gt;\nblock\n&lt;/div&gt;"),
        ("3. third\n4. fourth", "3. third\n4. fourth"),
    ],
)
def test_the_rest_of_markdown(markdown: str, said: str) -> None:
    """Quotes, breaks, images, rules, HTML and lists that do not begin at one."""
    assert mrkdwn(markdown) == said


def test_a_link_is_not_ended_by_its_own_characters() -> None:
    """A label or address with `|` or `>` stays one link."""
    assert slack_link("a|b > c", "https://x/?q=a|b>c&d") == "<https://x/?q=a%7Cb%3Ec&amp;d|a/b &gt; c>"


def test_a_split_fence_is_closed_and_opened_again() -> None:
    """Every piece is readable for itself."""
    text = "```\n" + "\n".join(f"line {n}" for n in range(20)) + "\n```\nafter"
    pieces = split(text, 60)
    assert all(piece.count("```") % 2 == 0 for piece in pieces)
    assert [n for n in range(20) if f"line {n}" not in " ".join(pieces)] == []


@given(st.text(alphabet="ab \n`<>&", max_size=300), st.integers(20, 80))
def test_split_keeps_within_its_limit(text: str, limit: int) -> None:
    """Slack refuses a section that is one character too long."""
    assert all(0 < len(piece) <= limit for piece in split(text, limit))


@given(st.text(max_size=200))
def test_no_markdown_breaks_the_rendering(markdown: str) -> None:
    """Whatever stands in a runbook, a page can be written."""
    plain(markdown)
    assert "<!channel>" not in mrkdwn(markdown + " <!channel>")


@given(st.text(max_size=50), st.integers(1, 20))
def test_cut_shows_that_something_is_missing(text: str, limit: int) -> None:
    """At most the limit, and an ellipsis exactly where something was left out."""
    short = cut(text, limit)
    assert len(short) <= limit
    assert (short == text) == (len(text) <= limit) or short.endswith("…")


def test_escaped_text_can_mention_nobody() -> None:
    """A table name with angle brackets calls no channel."""
    assert escape("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"
    assert escape("mail it@channel.example, @Here!") == "mail it@\u2060channel.example, @\u2060Here!"


HARMFUL = [
    "!channel", "!here", "!everyone", "!subteam^S0DEONCALL", "@U0DE001", "#C012345", "!date^1^{date}", "!channel|x",
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java&#10;script:alert(1)", "java%0Ascript:alert(1)", "vbscript:x",
    "data:text/html;base64,PHNjcmlwdD4=", "data:image/svg+xml,x", "DATA:image/png;base64,iVBOR", "file:///etc/passwd",
    "slack://channel?team=T&id=C", "tel:112", "//evil.example", "/dags", "\x01javascript:x", "&#x6A;avascript:alert(1)",
]  # fmt: skip
FORMS = ["[x]({})", "![x]({})", "[x](<{}>)", "[x][r]\n\n[r]: {}", "<{}>", '<a href="{}">x</a>', "**[x]({})**",
         "# [x]({})", "| a |\n| --- |\n| [x]({}) |", '> [x]({} "t")', "- ![![x]({})]({})"]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("address", HARMFUL)
def test_only_the_web_and_mail_become_links(form: str, address: str) -> None:
    """Whatever else stands in a link rings nobody in Slack and runs nothing on the page; its words stay."""
    markdown = form.replace("{}", address)
    assert "<" not in mrkdwn(markdown)
    html = str(rendered(Runbook(markdown)).html)
    links = re.findall(r"<[^>]*(?:href|src)=\"([^\"]*)", html)
    assert [link for link in links if not link.startswith("#")] == []


@pytest.mark.parametrize(
    "address", ["https://x.example/a?b=1", "HTTP://x.example", "mailto:de-001@example.com"]
)
def test_the_web_and_mail_do_become_links(address: str) -> None:
    """In both places; and on the page a section of the same runbook."""
    assert f"<{address}|x>" in mrkdwn(f"[x]({address})")
    assert f'href="{address}"' in str(rendered(Runbook(f"[x]({address}) ![y]({address})")).html)
    assert 'href="#failed"' in str(rendered(Runbook("[x](#failed)")).html)


@given(st.text(alphabet="[]()<>!@#|:/ \n`*&;channelhrjvscpt%0A\x00\u200b", max_size=80))
def test_no_runbook_calls_anybody(markdown: str) -> None:
    """Every mark that is left in Slack's text begins a link to the web."""
    said = mrkdwn(markdown)
    marks = [at for at, letter in enumerate(said) if letter == "<"]
    assert all(re.match(r"<(?:https?://|mailto:)", said[at:], re.IGNORECASE) for at in marks)
    assert not re.search(r"(?i)@(?:here|channel|everyone)\b", said)


@pytest.mark.parametrize("runbook", RUNBOOKS, ids=lambda path: path.stem)
def test_the_shipped_runbooks_lose_no_code(runbook: Path) -> None:
    """Commands reach the woken person whole, in both forms."""
    body = runbook.read_text().split("---", 2)[-1]
    for_phone, for_slack = plain(body), mrkdwn(body)
    for fenced in body.split("```")[1::2]:
        for line in fenced.splitlines()[1:]:
            assert line.strip() in for_phone
            assert escape(line.strip()) in for_slack


@given(st.text(alphabet="a🧯é \n`*", max_size=300), st.integers(1, 120))
def test_cut_counts_as_the_far_sides_do(text: str, limit: int) -> None:
    """An emoji is two; what fits stays as it is, and no character is cut in half."""
    short = cut(text, limit)
    assert len(short.encode("utf-16-le")) // 2 <= limit
    assert short == text or short.endswith("…")
    assert short.rstrip("…") in text


@given(st.text(alphabet="a🧯 ", max_size=400), st.integers(20, 80))
def test_pieces_count_as_the_far_sides_do(text: str, limit: int) -> None:
    """Nothing but blanks is lost between the pieces."""
    pieces = split(text, limit)
    assert all(len(piece.encode("utf-16-le")) // 2 <= limit for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


@pytest.mark.parametrize("odd", ["> " * 5_000, "[" * 20_000, "- " * 3_000, "*" * 20_000, "![" * 9_000])
def test_no_markdown_stops_a_page(odd: str) -> None:
    """What no parser survives is said as it was typed."""
    assert plain(odd).strip()
    assert mrkdwn(odd).strip()
