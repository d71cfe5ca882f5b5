-- One row per organization that has a trend of the period before a run's own; but for
-- those of which none has been stored for longer, while others' were.
with
-- one row: the latest period that is stored, of any organization
newest as (
    select max(trend_date) as trend_date
    from communication_trends
    where
        trend_period = %(trend_period)s::text
        and trend_date < now()
)

select
    organizations.id::text as id,
    organizations.slug::text as slug
from communication_trends as stored
inner join organizations on stored.organization_id = organizations.id
cross join newest
where
    stored.trend_period = %(trend_period)s::text
    and stored.trend_date = %(period_start)s::timestamp
    and (
        newest.trend_date
        <= %(own_start)s::timestamp + ('1 ' || %(unit)s::text)::interval
        or stored.organization_id in (
            select latest.organization_id
            from communication_trends as latest
            where
                latest.trend_period = %(trend_period)s::text
                and latest.trend_date < now()
                and latest.trend_date >= (
                    select newest.trend_date - ('1 ' || %(unit)s::text)::interval
                    from newest
                )
        )
    )
order by organizations.slug;
