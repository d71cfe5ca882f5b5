"""
How often what is unusual for a tenant is found, and how often something is called unusual for nothing.

Usage: ``.venv/bin/python -m bench.attention``; two minutes. Histories are stationary, with a week's
rhythm and 1.3 times Poisson's variance (negative binomial); each figure varies by itself. Candidates: a conditional
binomial test on the counts of eight weeks as if they were Poisson's, three standard deviations of the eight, and the
package's.
"""

from __future__ import annotations

import datetime
import math
import random
import statistics
from collections.abc import Callable, Sequence

from communication_trends.core import anomalies as attention
from communication_trends.core.period import DAILY, Period

SCATTER = 1.3
RHYTHM = [1.1, 1.2, 1.15, 1.1, 1.0, 0.5, 0.45]
"""Share of an average day that a weekday has, Monday first."""
SHARES = {"messages": 1.0, "risky": 0.15, "alerts": 0.03, "negative": 0.2}
"""Mean of each figure, per message."""
SIZES = [5, 10, 20, 40, 80, 150, 300, 600, 1500, 5000]
"""Messages a day."""

Decision = Callable[[int, Sequence[int]], bool]


def drawn(mean: float, chance: random.Random) -> int:
    """Return a count of a mean, with `SCATTER` times Poisson's variance: Poisson's, of a gamma-distributed mean."""
    level = chance.gammavariate(mean / (SCATTER - 1), SCATTER - 1)
    if level > 50:
        # as good as normal by then
        return max(0, round(chance.gauss(level, math.sqrt(level))))
    count, product, limit = 0, chance.random(), math.exp(-level)
    while product > limit:
        count += 1
        product *= chance.random()
    return count


def conditional_binomial(count: int, earlier: Sequence[int]) -> bool:
    """Whether so many of all of them would be in this period in less than one case in 400, were they Poisson's."""
    total, share = count + sum(earlier), 1 / (len(earlier) + 1)
    if count <= total * share:
        return False
    term = math.exp(
        math.lgamma(total + 1)
        - math.lgamma(count + 1)
        - math.lgamma(total - count + 1)
        + count * math.log(share)
        + (total - count) * math.log1p(-share)
    )
    tail = 0.0
    for number in range(count, total + 1):
        tail += term
        term *= (total - number) / (number + 1) * share / (1 - share)
        if term < 1e-9:
            break
    return tail < 1 / 400


def three_deviations(count: int, earlier: Sequence[int]) -> bool:
    """Whether it is three standard deviations of the eight above their mean."""
    return count > statistics.mean(earlier) + 3 * max(statistics.stdev(earlier), 1)


CANDIDATES: dict[str, Decision] = {
    "conditional binomial": conditional_binomial,
    "three deviations": three_deviations,
    "the package's": attention.is_high,
}


def found_for_nothing(size: int, days: int, chance: random.Random) -> dict[str, float]:
    """Return the share of days on which any of the four figures is called unusual, by candidate; and by findings()."""
    called = dict.fromkeys([*CANDIDATES, "findings()"], 0)
    for day in range(days):
        means = {name: size * share * RHYTHM[day % 7] for name, share in SHARES.items()}
        series = {name: [drawn(mean, chance) for _ in range(9)] for name, mean in means.items()}
        for name, decide in CANDIDATES.items():
            called[name] += any(decide(counts[0], counts[1:]) for counts in series.values())
        one = [attention.Figures(**{name: counts[week] for name, counts in series.items()}) for week in range(9)]
        period = Period(DAILY, datetime.date(2026, 11, 2) + datetime.timedelta(day % 7))
        called["findings()"] += bool(attention.findings(one[0], one[1:], period, ["complaint"]))
    return {name: count / days for name, count in called.items()}


def found(mean: float, times: float, cases: int, chance: random.Random) -> dict[str, float]:
    """Return in which share of cases a figure that has grown so many times is called unusual on its first day."""
    called = dict.fromkeys(CANDIDATES, 0)
    for _ in range(cases):
        count, earlier = drawn(times * mean, chance), [drawn(mean, chance) for _ in range(8)]
        for name, decide in CANDIDATES.items():
            called[name] += decide(count, earlier)
    return {name: count / cases for name, count in called.items()}


def main() -> None:
    """Print both tables, in percent."""
    chance = random.Random(17)
    names = [*CANDIDATES, "findings()"]
    print(f"{'called unusual for nothing, % of days':42}", *(f"{name:>22}" for name in names))
    rates = []
    for size in SIZES:
        rates.append(found_for_nothing(size, 20_000, chance))
        print(f"{f'{size:,} messages a day':42}", *(f"{100 * rates[-1][name]:22.2f}" for name in names), flush=True)
    print(f"{'all sizes':42}", *(f"{100 * statistics.mean(rate[name] for rate in rates):22.2f}" for name in names))
    print(f"\n{'found on the first day, % of cases':42}", *(f"{name:>22}" for name in CANDIDATES))
    for mean, times in [(10, 3), (15, 3), (30, 2), (40, 2), (60, 2), (200, 2), (1000, 2)]:
        rate = found(mean, times, 20_000, chance)
        print(
            f"{f'usually {mean}, {times} times that':42}",
            *(f"{100 * rate[name]:22.1f}" for name in CANDIDATES),
            flush=True,
        )


if __name__ == "__main__":
    main()
