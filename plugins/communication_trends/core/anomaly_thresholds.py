"""The thresholds of the rule for anomalies (docs/attention.md); measured, not guessed: bench/attention.py."""

from __future__ import annotations

BASELINE_PERIODS = 8
"""Periods that one is compared with: of days, the same weekday of so many weeks before."""

MIN_BASELINE = 6
"""How many of them must be stored; with fewer, only what is sure is said (`MIN_SHORT_BASELINE`)."""

DISPERSION = 1.3
"""Variance of a count as a multiple of its mean, at least: a little more than Poisson's."""

OUTLIER_Z = 3.0
"""Standard deviations from its weekday's median beyond which a baseline period is left out."""

HIGH_Z = 2.2
"""z-score from which a count is anomalously high, where the dispersion is `DISPERSION` and the mean no small one."""

OVERDISPERSED_Z = 1.3
"""What is added to `HIGH_Z` where the baseline's own dispersion is twice `DISPERSION` or more; in between, a part."""

SMALL_MEAN_Z = 0.8
"""What is added to `HIGH_Z` where the expected count is below `VERY_SMALL_MEAN`: there are many small counts."""

VERY_SMALL_MEAN = 8

MIN_RATIO = 1.5
"""Smallest ratio to the expected count at which more is worth a person's attention, however certain it is."""

MIN_RATIO_SMALL_MEAN = 2.0
"""`MIN_RATIO` where the expected count is below `SMALL_MEAN`."""

SMALL_MEAN = 26

LOW_Z = 3.2
"""z-score below zero from which messages are anomalously few."""

MAX_RATIO = 0.5
"""Largest ratio to the expected count at which fewer messages are worth attention."""

SHARE_Z = 1.6
"""z-score against the usual share of the period's own messages, which the count of a share must have as well."""

MIN_COUNT = 5
"""Fewer of anything are never anomalously many; and where fewer messages are usual, they are never too few."""

SCREEN_Z = 1.6
"""Standard deviations, for `DISPERSION`, that a count is at least away from the baseline's median."""

SCREEN_QUARTILES = 1.8
"""
Distances of a quartile of the baseline from its median that it is at least away: 1.2 standard deviations.

It is the lower quartile for a count of many, since incidents and states of more change the upper one; for few messages,
the nearer one.
"""

SCREEN_RATIO = 1.4
"""Smallest ratio to the median of a count that may be anomalously high."""

SCREEN_RATIO_LOW = 0.6
"""Largest ratio to the median of one that may be anomalously low."""

CONTINUING_RATIO = 1.25
"""Ratio to its weekday's median above which a period continues a state of more."""

CONTINUING_RATIO_LOW = 0.75
"""Ratio up to which it continues a state of less."""

STATE_Z = 6.0
"""z-score of the sum of a state's periods."""

MIN_STATE_PERIODS = 2
"""Periods from which something lasts."""

MIN_SHORT_BASELINE = {"daily": 7, "weekly": 3, "monthly": 3}
"""Stored periods from which something sure is said where the baseline is too short for the rule."""

SURE_COUNT = 10
"""Alerts from which, and messages a period up to which, something is sure after a short baseline."""

SURE_RATIO = 5
"""How many times the most there has ever been in a short baseline alerts must be."""

SHRINKAGE = 6.0
"""
How far a weekday's mean is shrunk towards that of Monday to Friday, or of the weekend: by this, divided by the
chi-square statistic of the weekdays' differences, which chance alone would make as large (James and Stein).
"""

MIN_TOGETHER = 5
"""Organizations that must have moved alike for it to be said once of all of them."""

MIN_SHARE_TOGETHER = 0.1
"""The same as a share of those that could be judged."""

MIN_MEAN = 0.25
"""What is expected at least: of what has never been seen in eight weeks, one could have been."""

TRIMMED_VARIANCE = 0.534
"""Variance of a standard normal variable without the seventh of it that is farthest from its mean."""
