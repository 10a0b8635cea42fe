"""What the scored texts say: alphas, means, intervals, recovery, verdict.

Intervals are those of a percentile bootstrap over prompts: every resample draws as many prompts as there are,
with replacement, with all their texts in all conditions. Here all resamples are enumerated with their
probabilities, so there is no draw: a bound is the quantile of the exact distribution. A program that draws
RESAMPLES of them finds an order statistic near it; BAND standard errors of its rank give the range in which
it must lie.
"""
from itertools import combinations_with_replacement
from math import factorial

import numpy as np
from scipy.stats import binomtest

BASELINE, ORACLE = "none", "oracle"
CONTROLS = ["zero_pad", "interpolation", "random_projection", "random_direction", "shuffled_pairs"]
COHERENCE, TRAIT, COLLAPSE, EQUIVALENCE, AUROC = 3.5, 2.5, 0.3, 0.5, 0.9
LEVEL, RESAMPLES, BAND = 0.95, 10000, 5


class Resamples:
    """All multisets of n prompts: how often each prompt is in it, [resamples, n], and its probability."""

    def __init__(self, n):
        counts = [np.bincount(c, minlength=n) for c in combinations_with_replacement(range(n), n)]
        self.weights = np.array(counts, float)
        ways = [factorial(n) / np.prod([factorial(k) for k in c]) for c in counts]
        self.probability = np.array(ways) / n ** n
        self.everything = np.ones((1, n))

    def estimate(self, statistic, n):
        """statistic takes weights [resamples, prompts]. [value, [range of the lower bound], [of the upper], texts].

        Resamples without a value are left out; if they are the greater part there is no interval.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            value, draws = statistic(self.everything)[0], statistic(self.weights)
        there = ~np.isnan(draws)
        share = self.probability[there].sum()
        if np.isnan(value) or share < 0.5:
            return {"value": None if np.isnan(value) else float(value), "low": None, "high": None, "n": n}
        assert share > 0.51, "whether there is an interval is left to chance"
        order = np.argsort(draws[there])
        values, below = draws[there][order], np.cumsum(self.probability[there][order]) / share

        def around(q):
            error = BAND * np.sqrt(q * (1 - q) / (RESAMPLES * share)) + 1 / (RESAMPLES * share)
            at = [np.searchsorted(below, np.clip(p, 0, 1 - 1e-12)) for p in (q - error, q + error)]
            return [float(values[min(i, len(values) - 1)]) for i in at]
        return {"value": float(value), "low": around((1 - LEVEL) / 2), "high": around((1 + LEVEL) / 2), "n": n}


class Cell:
    """Texts of one condition: for each measure the sums and counts [personas, prompts] of what is there."""

    def __init__(self, rows, personas, prompts):
        self.rows = rows
        measure = lambda of: self.table([(r["persona"], r["prompt"], of(r)) for r in rows], personas, prompts)
        self.trait = measure(lambda r: np.nan if r["collapse"] else r["trait"])  # collapsed: missing
        self.coherence = measure(lambda r: r["coherence"])
        self.collapse = measure(lambda r: float(bool(r["collapse"])))
        self.tokens = measure(lambda r: len(r["tokens"]))
        self.log_perplexity = measure(lambda r: r["nll"])

    @staticmethod
    def table(entries, personas, prompts):
        sums, counts = np.zeros((2, len(personas), prompts))
        for persona, prompt, v in entries:
            if not np.isnan(v):
                sums[personas.index(persona), prompt] += v
                counts[personas.index(persona), prompt] += 1
        return sums, counts


def persona_means(table, weights):
    """[personas, resamples]: the mean over a persona's texts, prompts weighted."""
    sums, counts = table
    with np.errstate(invalid="ignore", divide="ignore"):
        return (sums @ weights.T) / (counts @ weights.T)


def mean(table):
    """The mean over personas of their means; personas without a value are left out."""
    def of(weights):
        m = persona_means(table, weights)
        there = ~np.isnan(m)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(there, m, 0).sum(axis=0) / there.sum(axis=0)
    return of


def comparable_trait(cell):
    """As mean, but a persona all of whose texts collapsed counts as 1."""
    def of(weights):
        m, c = persona_means(cell.trait, weights), persona_means(cell.collapse, weights)
        m = np.where(np.isnan(m) & (c == 1), 1, m)
        there = ~np.isnan(m)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(there, m, 0).sum(axis=0) / there.sum(axis=0)
    return of


def standard_error(sums, counts):
    """Of a mean, prompts being the units: √(m/(m−1)·Σ(sum − mean·count)²)/Σcount."""
    there = counts > 0
    m, total = there.sum(), counts.sum()
    if m < 2:
        return 0.0
    rest = sums[there] - sums.sum() / total * counts[there]
    return np.sqrt(m / (m - 1) * np.square(rest).sum()) / total


def choose_alpha(rows, persona, prompts):
    """The highest trait among the doses whose coherence and collapse pass by a standard error, else the nearest."""
    doses = []
    for alpha in sorted({r["alpha"] for r in rows}):
        c = Cell([r for r in rows if r["alpha"] == alpha], [persona], prompts)
        one = lambda t: persona_means(t, np.ones((1, prompts)))[0, 0]
        margin = min((one(c.coherence) - standard_error(*[t[0] for t in c.coherence])) / COHERENCE,
                     (1 - one(c.collapse) - standard_error(*[t[0] for t in c.collapse])) / (1 - COLLAPSE))
        doses.append((alpha, one(c.trait), margin))
    good = [d for d in doses if d[2] > 1]
    rank = (lambda d: (-np.inf if np.isnan(d[1]) else d[1], -abs(d[0]))) if good else (lambda d: (d[2], -abs(d[0])))
    return max(good or doses, key=rank)[0], bool(good)


def judge(rows, personas, prompts):
    """Each persona's alphas, each chosen on one half of the prompts and used on the other, and the texts at them."""
    choices, used = [], []
    for persona in personas:
        own = [r for r in rows if r["persona"] == persona]
        half = lambda h: [r for r in own if r["prompt"] % 2 == h]
        (even, a), (odd, b) = choose_alpha(half(1), persona, prompts), choose_alpha(half(0), persona, prompts)
        choices.append({"persona": persona, "even": even, "odd": odd, "admissible": a and b})
        used += [r for r in own if r["alpha"] == (odd if r["prompt"] % 2 else even)]
    return choices, Cell(used, personas, prompts)


def moved(cell, base):
    """For each prompt whether the mean trait, over personas, is above the baseline's."""
    with np.errstate(invalid="ignore", divide="ignore"):
        d = cell.trait[0] / cell.trait[1] - base.trait[0] / base.trait[1]
    there = ~np.isnan(d).all(axis=0)
    return (np.where(there, np.nansum(d, axis=0) > 0, 0)[None].astype(float), there[None].astype(float))


def mcnemar(a, b):
    """Exact p-value that two conditions collapse equally often, from the pairs in which they differ."""
    key = lambda r: (r["persona"], r["prompt"], r["seed"])
    other = {key(r): bool(r["collapse"]) for r in a.rows}
    pairs = [(other[key(r)], bool(r["collapse"])) for r in b.rows if key(r) in other]
    only_a, only_b = sum(x and not y for x, y in pairs), sum(y and not x for x, y in pairs)
    return binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0


def group(rows, personas, prompts, mapped, versus, auroc):
    """The evaluation of one persona, or of several that count the same."""
    boot, cells, choices = Resamples(prompts), {}, {}
    for condition in dict.fromkeys(r["condition"] for r in rows):
        choices[condition], cells[condition] = judge([r for r in rows if r["condition"] == condition], personas, prompts)
    n = lambda table: int(table[1].sum())
    minus = lambda f, g: lambda w: f(w) - g(w)

    def trait_difference(a, b):
        return boot.estimate(minus(comparable_trait(cells[a]), comparable_trait(cells[b])), min(n(cells[a].trait), n(cells[b].trait)))

    def differences(c):
        a, b, count = cells[mapped], cells[c], min(len(cells[mapped].rows), len(cells[c].rows))
        trait = trait_difference(mapped, c)
        return {"trait": trait,
                "coherence": boot.estimate(minus(mean(a.coherence), mean(b.coherence)), min(n(a.coherence), n(b.coherence))),
                "collapse": boot.estimate(minus(mean(a.collapse), mean(b.collapse)), count),
                "mcnemar": mcnemar(a, b), "equivalent": inside(trait, EQUIVALENCE)}

    def summary(cell):
        point = lambda t: float(mean(t)(boot.everything)[0])
        return {"texts": len(cell.rows), "missing_traits": len(cell.rows) - n(cell.trait),
                "trait": boot.estimate(mean(cell.trait), n(cell.trait)),
                "coherence": boot.estimate(mean(cell.coherence), n(cell.coherence)),
                "collapse": boot.estimate(mean(cell.collapse), len(cell.rows)),
                "tokens": point(cell.tokens), "perplexity": float(np.exp(point(cell.log_perplexity)))}

    reports = []
    for c, cell in cells.items():
        report = {"condition": c, "alphas": choices[c], **summary(cell), "by_alpha": []}
        for alpha in sorted({r["alpha"] for r in rows if r["condition"] == c}):
            at = [r for r in rows if r["condition"] == c and r["alpha"] == alpha]
            report["by_alpha"].append({"alpha": alpha, **summary(Cell(at, personas, prompts))})
        if c != BASELINE:
            report["effect"] = trait_difference(c, BASELINE)
            share = moved(cell, cells[BASELINE])
            report["moved"] = boot.estimate(mean(share), n(share))
        if c != mapped:
            report["mapped_minus_this"] = differences(c)
        reports.append(report)

    recovery = None
    if above(trait_difference(ORACLE, BASELINE), 0):
        t = {c: comparable_trait(cells[c]) for c in (mapped, ORACLE, BASELINE)}
        ratio = lambda w: (t[mapped](w) - t[BASELINE](w)) / (t[ORACLE](w) - t[BASELINE](w))
        recovery = boot.estimate(ratio, min(n(cells[c].trait) for c in t))
    return {"persona": personas[0] if len(personas) == 1 else "", "conditions": reports, "recovery": recovery,
            "primary": [{"versus": c, "difference": trait_difference(mapped, c), "pass": above(trait_difference(mapped, c), 0)} for c in versus],
            "verdict": verdict(mapped, auroc, summary(cells[mapped]), comparable_points(cells, boot), trait_difference)}


def comparable_points(cells, boot):
    return {c: comparable_trait(cell)(boot.everything)[0] for c, cell in cells.items()}


def above(estimate, threshold):
    """The whole interval is above. The range of its bound must leave no doubt."""
    low = estimate["low"]
    if low is None:
        return False
    assert low[0] > threshold or low[1] <= threshold, f"the bound {low} is too near {threshold}: change the inputs"
    return low[0] > threshold


def below(estimate, threshold):
    high = estimate["high"]
    if high is None:
        return False
    assert high[1] < threshold or high[0] >= threshold, f"the bound {high} is too near {threshold}: change the inputs"
    return high[1] < threshold


def inside(estimate, margin):
    return above(estimate, -margin) and below(estimate, margin)


def verdict(mapped, auroc, of_mapped, traits, difference):
    """inconclusive; else 1: every criterion; 2: the mapped vector beats the best control; 3: it does not."""
    measurable = {"auroc of the trait scorer": auroc >= AUROC, "oracle − none, trait": above(difference(ORACLE, BASELINE), 0)}
    success = {f"{mapped}, coherence": above(of_mapped["coherence"], COHERENCE),
               f"{mapped}, trait": above(of_mapped["trait"], TRAIT),
               f"{mapped}, collapse": below(of_mapped["collapse"], COLLAPSE)}
    rivals = {c: above(difference(mapped, c), 0) for c in [BASELINE] + CONTROLS if c in traits}
    success |= {f"{mapped} − {c}, trait": won for c, won in rivals.items()}
    success[f"{mapped} − oracle, trait"] = inside(difference(mapped, ORACLE), EQUIVALENCE)
    if not all(measurable.values()):
        outcome = "inconclusive"
    elif all(success.values()):
        outcome = "1"
    else:
        outcome = "2" if rivals[max(rivals, key=lambda c: traits[c])] else "3"
    return {"outcome": outcome, "auroc": auroc, "criteria": {k: bool(v) for k, v in (measurable | success).items()}}
