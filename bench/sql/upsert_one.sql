-- One organization's trend, as the service before this one stored it.
insert into communication_trends as stored (
    organization_id,
    trend_date,
    trend_period,
    topic_distribution,
    sentiment_distribution,
    escalation_counts,
    channel_hotspots,
    total_classifications,
    avg_confidence
)
values (
    %(organization_id)s,
    %(day_start)s::timestamp,
    'daily',
    %(topics)s::jsonb,
    %(tones)s::jsonb,
    %(severities)s::jsonb,
    %(hotspots)s::jsonb,
    %(total)s,
    %(mean)s
)
on conflict (organization_id, trend_date, trend_period) do update
    set
        topic_distribution = excluded.topic_distribution,
        sentiment_distribution = excluded.sentiment_distribution,
        escalation_counts = excluded.escalation_counts,
        channel_hotspots = excluded.channel_hotspots,
        total_classifications = excluded.total_classifications,
        avg_confidence = excluded.avg_confidence;
