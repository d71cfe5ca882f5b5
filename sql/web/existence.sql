-- A view: one row per organization, with the moment from which it exists: when it was
-- created, or the first stored trend with anything in it, where that is earlier.
-- reads: named_organizations
select
    named_organizations.id,
    named_organizations.name,
    named_organizations.slug,
    named_organizations.nameless,
    least(named_organizations.created_from, first_trends.first_filled) as exists_from
from named_organizations
cross join
    lateral (
        select min(filled.trend_date)::timestamp as first_filled
        from communication_trends as filled
        where
            -- of one that is older than all that is read, nobody asks since when
            named_organizations.created_from > %(read_from)s::timestamp
            and named_organizations.id = filled.organization_id
            and filled.trend_period = %(period)s::text
            -- a date of the calendar
            and filled.trend_date between '0001-01-01' and '9999-12-31'
            -- where a period begins
            and date_trunc(%(unit)s::text, filled.trend_date) >= filled.trend_date
            and (
                filled.total_classifications > 0
                or jsonb_path_exists(filled.escalation_counts, '$.* ? (@ > 0)')
            )
    ) as first_trends;
