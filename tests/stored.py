"""What a stored trend consists of."""

from __future__ import annotations

from typing import Any

EMPTY: dict[str, Any] = {
    "topic_distribution": {},
    "sentiment_distribution": {},
    "escalation_counts": {},
    "channel_hotspots": [],
    "total_classifications": 0,
    "avg_confidence": None,
}
"""The trend of a period without messages and alerts."""

COLUMNS = tuple(EMPTY)
