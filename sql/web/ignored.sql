-- A view: how many stored trends of a range count for nothing, and why: of one
-- organization, or of all where none is given. One row.
-- reads: stored_counts
select
    coalesce(
        sum(stored_counts.trends) filter (where stored_counts.is_off_grid), 0
    )::bigint as off_grid,
    coalesce(
        sum(stored_counts.trends - stored_counts.of_organizations)
        filter (where not stored_counts.is_off_grid),
        0
    )::bigint as of_no_organization,
    coalesce(
        sum(stored_counts.before_existence)
        filter (where not stored_counts.is_off_grid),
        0
    )::bigint as before_existence
from stored_counts;
