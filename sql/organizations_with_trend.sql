-- One row per organization that has a trend of the period before a run's own; but for
-- those of which none has been stored for longer, while others' were.
select
    organizations.id::text as id,
    organizations.slug::text as slug
from communication_trends as stored
inner join organizations on stored.organization_id = organizations.id
where
    stored.trend_period = %(trend_period)s::text
    and stored.trend_date = %(period_start)s::timestamp
    and not exists (
        select
        from communication_trends as later
        where
            later.trend_period = %(trend_period)s::text
            and later.trend_date < now()
            and later.trend_date > ('1 ' || %(unit)s::text)::interval + (
                select greatest(max(last.trend_date), %(own_start)s::timestamp)
                from communication_trends as last
                where
                    organizations.id = last.organization_id
                    and last.trend_period = %(trend_period)s::text
                    and last.trend_date < now()
            )
    )
order by organizations.slug;
