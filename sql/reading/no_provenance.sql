-- A view in the place of provenance.sql, without a row.
select
    null::uuid as organization_id,
    null::timestamp as trend_date,
    null::boolean as is_final,
    null::bigint as messages_with_confidence
where false;
