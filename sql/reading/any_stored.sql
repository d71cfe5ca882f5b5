-- Whether any trend of some periods is stored. One row.
select
    exists(
        select
        from communication_trends
        where
            communication_trends.trend_period = %(trend_period)s::text
            and communication_trends.trend_date = any(%(days)s::timestamp[])
    ) as any_stored;
