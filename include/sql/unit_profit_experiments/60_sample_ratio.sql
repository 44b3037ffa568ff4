-- How many customers are in each variant of the draft, beside how many were planned: experiment, variant, n, expected, p.
select draft.experiment, draft.variant, draft.n, draft.expected_n, draft.sample_ratio_p
from base.unit_profit_draft as draft
where draft.report_date = %(report_date)s::date
order by draft.experiment, draft.variant;
