-- Trends of the day that dbt computed otherwise, or not at all.
select ours.organization_id
from public.communication_trends as ours
left join dbt.communication_trends as theirs
    on
        ours.organization_id = theirs.organization_id
        and ours.trend_date = theirs.trend_date
        and ours.topic_distribution = theirs.topic_distribution
        and ours.sentiment_distribution = theirs.sentiment_distribution
        and ours.escalation_counts = theirs.escalation_counts
        and ours.channel_hotspots = theirs.channel_hotspots
        and ours.total_classifications = theirs.total_classifications
        and ours.avg_confidence is not distinct from theirs.avg_confidence
where ours.trend_date = timestamp '2026-11-01' and theirs.organization_id is null;
