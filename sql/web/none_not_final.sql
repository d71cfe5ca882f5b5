-- A view in the place of not_final.sql, without a row.
select
    null::uuid as organization_id,
    null::timestamp as trend_date
where false;
