"""A report's badge: of which day the newest one is, when it was refreshed, and whether that is as promised. Pure."""

from __future__ import annotations

from markupsafe import escape

from oncall.core.promises.words import badge
from oncall.web.snapshot import PageSnapshot

COLOURS = {"ok": "#1a7f37", "late": "#9a6700", "missing": "#cf222e", "unknown": "#57606a"}
_CHAR = 6.6  # about the width of a character, in pixels at 11 px; the text is fitted to it
_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{text}">'
    '<title>{text}</title><rect width="{width}" height="20" rx="3" fill="{colour}"/>'
    '<text x="8" y="14" fill="#fff" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11"'
    ' textLength="{length}" lengthAdjust="spacingAndGlyphs">{text}</text></svg>'
)


def drawn(seen: PageSnapshot, report: str) -> str:
    """The badge of one report as SVG."""
    text, state = words(seen, report)
    length = round(len(text) * _CHAR)
    return _SVG.format(text=escape(text), colour=COLOURS[state], length=length, width=length + 16)


def words(seen: PageSnapshot, report: str) -> tuple[str, str]:
    """Such as ("profit · 21 Nov · refreshed 04:12", "ok"); the state is a key of COLOURS."""
    name = report.rpartition(".")[2].removeprefix("daily_").replace("_", " ")
    made = seen.published.get(report)
    if not made:
        return f"{name} · cannot tell", "unknown"
    newest = max(made)
    at = seen.say.clock(made[newest].at)
    mine = [one for one in seen.statuses if one.pipeline.report == report and not one.drill]
    if any(one.verdict == "broken" and one.report_date > newest for one in mine):
        return badge(name, newest, at, next_late=True), "missing"
    late = any(one.verdict == "late" and one.report_date == newest for one in mine)
    return badge(name, newest, at, next_late=False), "late" if late else "ok"
