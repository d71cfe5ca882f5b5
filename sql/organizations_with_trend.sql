-- One row per organization that has a trend of the period before a run's own; but for
-- those of which none has been stored for longer, while others' were.
with
-- one row per organization that has a trend of the period before
found as materialized (
    select
        organizations.id,
        organizations.slug
    from communication_trends as stored
    inner join organizations on stored.organization_id = organizations.id
    where
        stored.trend_period = %(trend_period)s::text
        and stored.trend_date = %(period_start)s::timestamp
),

-- one row: the period before the latest one that anything is stored of
latest_before as materialized (
    select
        max(stored.trend_date)::timestamp
        - ('1 ' || %(unit)s::text)::interval as period_start
    from communication_trends as stored
    where
        stored.trend_period = %(trend_period)s::text
        and stored.trend_date < now()
)

select
    found.id::text as id,
    found.slug::text as slug
from found
cross join latest_before
where
    latest_before.period_start <= %(own_start)s::timestamp
    or found.id in (
        select recent.organization_id
        from communication_trends as recent
        where
            recent.trend_period = %(trend_period)s::text
            and recent.trend_date
            >= (select latest_before.period_start from latest_before)
            and recent.trend_date < now()
    )
order by found.slug;
