"""What Slack's word for an error means: for one message, one channel, some people, or everybody. Calls nobody.

Every word that https://docs.slack.dev/reference/methods lists for the methods we use has its place here; one that is
new is a refusal of that one message, never an outage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oncall.adapters.http.answers import text
from oncall.adapters.http.connections import Access
from oncall.core.errors import DeliveryFailed, Gone, LockedOut, Rejected, UnknownPerson

# May be tried again. Of the first nobody knows whether it was taken; the others were not.
_UNSURE = {"fatal_error", "internal_error", "request_timeout", "service_unavailable", "update_failed"}
_TOO_OFTEN = {"ratelimited", "rate_limited"}
_NOT_NOW = {
    *_TOO_OFTEN, "message_limit_exceeded", "team_added_to_org", "org_login_required",
    "external_channel_migrating",
}  # fmt: skip

# What a message changes or answers is not there any more, or takes no answer.
_GONE = {
    "message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found", "cannot_reply_to_message",
    "restricted_action_thread_locked", "restricted_action_non_threadable_channel", "invalid_thread_ts",
    "cant_broadcast_message", "no_dual_broadcast_content_update", "is_inactive",
}  # fmt: skip

# The form was refused, not the message: it is said again in a plainer form.
FORM = {
    "invalid_blocks", "invalid_blocks_format", "invalid_arguments", "msg_blocks_too_long", "msg_too_long",
    "block_mismatch", "no_text", "too_many_attachments", "too_many_contact_cards", "invalid_attachments",
    "attachment_payload_limit_exceeded", "markdown_text_conflict", "slack_connect_canvas_sharing_blocked",
    "slack_connect_file_link_sharing_blocked", "slack_connect_lists_sharing_blocked",
    "slack_connect_clip_sharing_blocked", "slack_connect_blocked_file_type",
}  # fmt: skip
METADATA = {
    "invalid_metadata_format", "invalid_metadata_schema", "metadata_too_large", "metadata_must_be_sent_from_app",
}  # fmt: skip

_BOT = "put a valid bot token (xoxb-…) into the connection's password"
_ADMIN = "ask an administrator of the Slack workspace to let the app post"
_ADDRESS = "is the connection's base_url right?"
_INVITE = "write an existing channel into roster.yaml and /invite the bot to it"
_ALLOW = "let the bot post in that channel, or write another one into roster.yaml"
_GROUPS = "let the app edit user groups, or leave slack.usergroup out"
_LOCKED_OUT = {
    "invalid_auth": _BOT, "not_authed": _BOT, "account_inactive": _BOT, "token_revoked": _BOT, "token_expired": _BOT,
    "not_allowed_token_type": _BOT, "two_factor_setup_required": _BOT, "as_user_not_supported": _BOT,
    "missing_scope": "give the Slack app the scope it needs and install it again",
    "no_permission": _ADMIN, "access_denied": _ADMIN, "accesslimited": _ADMIN, "ekm_access_denied": _ADMIN,
    "enterprise_is_restricted": _ADMIN, "team_access_not_granted": _ADMIN, "team_not_found": _ADMIN,
    "unknown_method": _ADDRESS, "method_deprecated": _ADDRESS, "deprecated_endpoint": _ADDRESS,
}  # fmt: skip
_MEND = {
    "channel_not_found": _INVITE, "not_in_channel": _INVITE, "messages_tab_disabled": _INVITE,
    "is_archived": "unarchive the channel, or write another one into roster.yaml",
    "restricted_action": _ALLOW, "restricted_action_read_only_channel": _ALLOW,
    "restricted_action_thread_only_channel": _ALLOW,
    "no_such_subteam": "write the id of an existing user group (S…) into slack.usergroup of roster.yaml",
    "permission_denied": _GROUPS, "plan_upgrade_required": _GROUPS, "subteam_max_users_exceeded": _GROUPS,
}  # fmt: skip
_WORD = 100  # characters
_NOBODY = {"invalid_users", "user_not_found", "users_not_found", "no_users_provided", "cannot_add_guest"}


class SlackRefused(Rejected):
    """Slack answered `ok: false` because of this one message; `error` is its word for it."""

    error = ""


class RefusedAsGone(SlackRefused, Gone):
    """… because of what the message is about."""


class RefusedPerson(SlackRefused, UnknownPerson):
    """… because of a member id that is nobody's."""


class RefusedAll(SlackRefused, LockedOut):
    """… and would refuse every other one."""


def failure(
    method: str, data: Mapping[str, Any], status: int, retry_after: float | None, access: Access
) -> DeliveryFailed:
    """What Slack answered instead of `ok: true`, in our words: may it be tried again, when, what is to be mended."""
    error = text(data.get("error"))[:_WORD]
    reason = f"{access.at}: {status}: {error or 'no reason given'}"
    if error in _UNSURE or error in _NOT_NOW:
        if error in _TOO_OFTEN and retry_after is None:
            retry_after = 0.0
        return DeliveryFailed(reason, retry_after=retry_after, uncertain=error in _UNSURE)
    if status < 300 and not error:
        return DeliveryFailed(f"{reason}; is the connection's base_url right?", uncertain=True)
    # Who may not read the history or edit a group may post all the same.
    all_of_it = method.startswith("chat.") or _LOCKED_OUT.get(error) == _BOT
    locked_out = (error in _LOCKED_OUT and all_of_it) or (status >= 400 and not error)
    kind = (
        RefusedAll if locked_out
        else RefusedAsGone if error in _GONE
        else RefusedPerson if error in _NOBODY
        else SlackRefused
    )  # fmt: skip
    mend = _LOCKED_OUT.get(error) or _MEND.get(error) or (_ADDRESS if locked_out else "")
    needed = text(data.get("needed"))
    refused = kind("; ".join(filter(None, (reason, mend))) + (f" (needed: {needed})" if needed else ""))
    refused.error = error
    return refused
