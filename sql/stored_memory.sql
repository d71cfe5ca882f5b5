-- One row per organization with stored trends that are not empty: the first and the
-- last period with messages, and with alerts. The source had rows then; and messages
-- where force has overwritten a trend with fewer rows.
-- reads: trend_contents
select
    organization_id::text as organization_id,
    min(trend_date) filter (where has_messages)::timestamp as first_with_messages,
    max(trend_date) filter (where has_messages)::timestamp as last_with_messages,
    min(trend_date) filter (where has_alerts)::timestamp as first_with_alerts,
    max(trend_date) filter (where has_alerts)::timestamp as last_with_alerts
from (
    (
        select
            trend_contents.organization_id,
            trend_contents.trend_date,
            trend_contents.has_messages,
            trend_contents.has_alerts
        from trend_contents
        where
            trend_contents.organization_id = any(%(organization_ids)s::uuid[])
            -- a finer one says more: a month's does not say on which of its days
            and trend_contents.trend_period in (%(trend_period)s::text, 'daily')
            and trend_contents.trend_date between '0001-01-01' and '9999-12-31'
        -- so that each is looked at once
        offset 0  -- noqa: AM09
    )
    union all
    select
        provenance.organization_id,
        provenance.trend_date,
        true as has_messages,
        false as has_alerts
    from communication_trends_provenance as provenance
    where
        provenance.organization_id = any(%(organization_ids)s::uuid[])
        and provenance.trend_period in (%(trend_period)s::text, 'daily')
        and provenance.trend_date between '0001-01-01' and '9999-12-31'
        and provenance.change = 'reduced'
) as contents
where has_messages or has_alerts
group by organization_id;
