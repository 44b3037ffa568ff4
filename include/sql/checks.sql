-- What one check expected and found, kept for the On-call page whether or not it passed.
insert into investor.checks (report, report_date, run_id, name, expected, found, passed, checked_at)
values (
    %(report)s,
    %(report_date)s::date,
    %(run_id)s,
    %(name)s,
    %(expected)s,
    %(found)s,
    %(passed)s,
    coalesce(%(at)s::timestamptz, clock_timestamp())
)
on conflict (report, report_date, run_id, name) do update
set
    expected = excluded.expected,
    found = excluded.found,
    passed = excluded.passed,
    checked_at = excluded.checked_at;
