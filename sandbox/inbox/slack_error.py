"""How Slack's methods take arguments and refuse; knows no method."""

from __future__ import annotations

from typing import Any


class SlackError(Exception):
    """A refusal: HTTP 200 with {"ok": false, "error": …}. `details` are Slack's own words, one per complaint."""

    def __init__(self, error: str, *details: str, **further: Any) -> None:
        super().__init__(error)
        self.content: dict[str, Any] = {"ok": False, "error": error, **further}
        if details:
            self.content["errors"] = list(details)
            self.content["response_metadata"] = {"messages": [f"[ERROR] {detail}" for detail in details]}


class RateLimited(Exception):
    """HTTP 429; `seconds` is what Retry-After says, a whole number."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"ratelimited, {seconds} s")
        self.seconds = seconds


class Arguments(dict[str, Any]):
    """A method's arguments as sent."""

    def text(self, name: str, *, required: bool = False) -> str:
        """A string argument, "" when absent. A number in its place is refused, as JSON is typed."""
        value = self.get(name)
        if value is None or value == "":
            if required:
                raise SlackError("invalid_arguments", f"missing required field: {name}")
            return ""
        if not isinstance(value, str):
            raise SlackError("invalid_arguments", f"must be a string [json-pointer:/{name}]")
        return value

    def flag(self, name: str) -> bool:
        return str(self.get(name, "")).lower() in ("1", "true")

    def number(self, name: str, default: int) -> int:
        try:
            return int(self.get(name) or default)
        except (TypeError, ValueError):
            raise SlackError("invalid_arguments", f"must be an integer [json-pointer:/{name}]") from None
