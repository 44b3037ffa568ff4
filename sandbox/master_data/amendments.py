"""What changes when upstream corrects a day it had already loaded: one statement per table; refuses to know when.

`{of_day}` stands for the table's rows of the day, `%(at)s` for the instant of the correction. Every correction
touches at least one row of a day that has any. It changes a figure of the reports that read the table, but for what a
published day keeps (what products cost, where customers came from) and for what counts on another day (cancellations).
"""

from __future__ import annotations

from collections.abc import Mapping

_LATE_IDS = (
    5_000_000  # beyond the ids a load uses, within the day's range, so that a new load replaces these too
)

AMENDMENTS: Mapping[str, str] = {
    "customers": """
        update master.customers set acquisition_channel = 'referral', updated_at = %(at)s
        where {of_day} and customer_id %% 50 = 0""",
    "products": """
        update master.products set unit_cost = round(unit_cost * 1.02, 2), updated_at = %(at)s
        where {of_day} and product_id %% 10 = 0""",
    "orders": """
        update master.orders set status = 'cancelled', updated_at = %(at)s
        where {of_day} and order_id %% 50 = 0""",
    "order_lines": """
        update master.order_lines set quantity = quantity + 1, updated_at = %(at)s
        where {of_day} and order_id %% 50 = 0""",
    "refunds": """
        update master.refunds set amount = round(amount / 2, 2), updated_at = %(at)s
        where {of_day} and refund_id %% 10 = 0""",
    "marketing_spend": """
        update master.marketing_spend set amount = round(amount * 1.1, 2), updated_at = %(at)s
        where {of_day}""",
    "touches": f"""
        insert into master.touches (touch_id, customer_id, touched_at, channel, updated_at)
        select touch_id + {_LATE_IDS}, customer_id, touched_at, 'email', %(at)s
        from master.touches where {{of_day}} and touch_id %% 50 = 0
        on conflict (touch_id) do update set updated_at = excluded.updated_at""",
    "sessions": f"""
        insert into master.sessions (session_id, customer_id, started_at, duration_s, feature, updated_at)
        select session_id + {_LATE_IDS}, customer_id, started_at, 60, 'browse', %(at)s
        from master.sessions where {{of_day}} and session_id %% 50 = 0
        on conflict (session_id) do update set updated_at = excluded.updated_at""",
    "experiment_assignments": """
        update master.experiment_assignments set variant = 'control', updated_at = %(at)s
        where {of_day} and customer_id %% 50 = 0""",
}
