"""The thresholds of the rule for anomalies (docs/attention.md); measured, not guessed: bench/attention.py."""

from __future__ import annotations

BASELINE_PERIODS = 8
"""Number of baseline periods: of a day, the same weekday of the weeks before."""

MIN_BASELINE = 6
"""How many of them must be stored; with fewer, only clear cases are reported (`MIN_SHORT_BASELINE`)."""

DISPERSION = 1.3
"""Variance of a count as a multiple of its mean, at least: a little more than Poisson's."""

OUTLIER_Z = 3.0
"""Standard deviations from its weekday's median beyond which a baseline period is left out."""

HIGH_Z = 2.2
"""z-score from which a count is anomalously high; for a dispersion of `DISPERSION` and no small expected count."""

OVERDISPERSED_Z = 1.3
"""What is added to `HIGH_Z` where the baseline's own dispersion is twice `DISPERSION` or more; in between, a part."""

SMALL_MEAN_Z = 0.8
"""What is added to `HIGH_Z` below an expected count of `VERY_SMALL_MEAN`: most counts are small, and each is tested."""

VERY_SMALL_MEAN = 8

MIN_RATIO = 1.5
"""Smallest ratio to the expected count from which more is reported, however certain it is."""

MIN_RATIO_SMALL_MEAN = 2.0
"""`MIN_RATIO` where the expected count is below `SMALL_MEAN`."""

SMALL_MEAN = 26

LOW_Z = 3.2
"""z-score below zero from which messages are anomalously few."""

MAX_RATIO = 0.5
"""Largest ratio to the expected count up to which fewer messages are reported."""

SHARE_Z = 1.6
"""z-score that a share metric must also reach, against its usual share of the period's own messages."""

MIN_COUNT = 5
"""Fewer of anything are never anomalously many; and where fewer messages are usual, they are never too few."""

SCREEN_Z = 1.6
"""Screening: minimum distance of a count from the baseline's median, in standard deviations for `DISPERSION`."""

SCREEN_QUARTILES = 1.8
"""
Screening: the same distance in multiples of that of a quartile from the median; 1.2 standard deviations.

For high counts it is the lower quartile, since incidents and lasting states of more change the upper one; for few
messages, the nearer of the two.
"""

SCREEN_RATIO = 1.4
"""Screening: smallest ratio to the median of a count that may be anomalously high."""

SCREEN_RATIO_LOW = 0.6
"""Screening: largest ratio to the median of a count that may be anomalously low."""

CONTINUING_RATIO = 1.25
"""Ratio to its weekday's median above which a period continues a state of more."""

CONTINUING_RATIO_LOW = 0.75
"""Ratio up to which it continues a state of less."""

STATE_Z = 6.0
"""z-score of the sum of a state's periods."""

MIN_STATE_PERIODS = 2
"""Number of periods from which a state lasts."""

QUIET_SHARE = 0.1
"""Part of the busiest weekday's messages below which a weekday, such as a weekend's, says nothing of a state."""

MIN_RECURRENCES = 5
"""How many separate times in eight weeks make it a habit, and no anomaly, unless it lasts more than twice as long."""

RECURRENCE = 0.8
"""Change from its weekday's median, as a multiple of today's, from which a count was like it."""

MIN_SHORT_BASELINE = {"daily": 7, "weekly": 3, "monthly": 3}
"""Stored periods from which clear cases are reported where the baseline is too short for the rule."""

SURE_COUNT = 10
"""After a short baseline: minimum of alerts, and of messages in each period before none came, for a clear case."""

SURE_RATIO = 5
"""Minimum ratio of alerts to the maximum of a short baseline."""

SHRINKAGE = 6.0
"""
Shrinkage of a weekday's mean towards that of Monday to Friday, or of the weekend: this, divided by the chi-square
statistic of the weekdays' differences, whose expected value it is by chance alone (James and Stein).
"""

MIN_TOGETHER = 5
"""Organizations that must have moved alike to be reported once, together."""

MIN_SHARE_TOGETHER = 0.1
"""The same as a share of those that could be judged."""

MIN_MEAN = 0.25
"""Lower bound of the expected count, so that it is never zero: what was not seen in eight weeks may be rare."""

TRIMMED_VARIANCE = 0.534
"""Variance of a standard normal variable without the seventh of it that is farthest from its mean."""
