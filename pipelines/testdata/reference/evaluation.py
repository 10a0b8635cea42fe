"""What the scored texts say: alphas, means, intervals, recovery, verdict.

Every resample draws as many prompts of either half as there are, with replacement, with all their texts in all
conditions, and chooses the alphas anew. Here all resamples are enumerated with their probabilities; SAMPLE of
them are drawn, together with the normal deviates for what resamples cannot know. A program that draws RESAMPLES
finds an order statistic near a bound; BAND standard errors of its rank give the range in which it must lie.
"""
from itertools import combinations_with_replacement, product
from math import factorial
from zlib import crc32

import numpy as np
from scipy.stats import beta, binomtest, norm, t as student

BASELINE, ORACLE = "none", "oracle"
CONTROLS = ["zero_pad", "interpolation", "random_projection", "random_direction", "shuffled_pairs"]
RANDOM = ["random_direction", "shuffled_pairs"]
COHERENCE, TRAIT, COLLAPSE, AUROC, D_PRIME = 3.5, 2.5, 0.3, 0.9, 2
LEVEL, STRICT, RESAMPLES, BAND, SAMPLE = 0.95, 0.99, 10000, 5, 400_000
SCORES, SHARES = (1, 5), (0, 1)  # the scales of traits and coherence, and of collapse
DOUBT_OF_SCORES, DOUBT_OF_SHARES = 0.5, 2.0


class Resamples:
    """All pairs of a multiset of even and one of odd prompts: how often each prompt is in it, and its probability."""

    def __init__(self, prompts):
        halves = [np.arange(h, prompts, 2) for h in (0, 1)]
        sides = []
        for half in halves:
            n = len(half)
            counts = [np.bincount(half[list(c)], minlength=prompts) for c in combinations_with_replacement(range(n), n)]
            sides.append([(c, factorial(n) / np.prod([factorial(k) for k in c]) / n ** n) for c in counts])
        both = list(product(*sides))
        self.weights = np.array([a + b for (a, _), (b, _) in both], float)
        self.probability = np.array([p * q for (_, p), (_, q) in both])
        self.prompts = prompts
        # So few prompts vary by (m−1)/m too little, and have Student's tails.
        m = min(map(len, halves))
        self.widen, self.t = np.sqrt(m / (m - 1)), student(prompts - 2).ppf((1 + LEVEL) / 2)
        self.drawn = np.random.default_rng(1).choice(len(both), SAMPLE, p=self.probability)

    def deviation(self, statistic):
        there = ~np.isnan(statistic[1:])
        p, v = self.probability[there] / self.probability[there].sum(), statistic[1:][there]
        return self.widen * np.sqrt(p @ np.square(v - p @ v))

    def uncertainty(self, statistic):
        """The relative standard error of a deviation that was found from RESAMPLES draws: of the normal distribution
        1/√2R; rare resamples in which another alpha is chosen make it greater."""
        there = ~np.isnan(statistic[1:])
        p, v = self.probability[there] / self.probability[there].sum(), statistic[1:][there]
        square = np.square(v - p @ v)
        kurtosis = (p @ np.square(square)) / (p @ square) ** 2 if p @ square > 0 else 1.0
        return np.sqrt((kurtosis - 1) / (4 * RESAMPLES))

    def sample(self, statistic, variance=0.0, stream=""):
        """[value, draws]: the statistic on drawn resamples, with a normal deviate of its own stream."""
        draws = statistic[1:][self.drawn]
        if variance > 0:
            draws = draws + np.sqrt(variance) * np.random.default_rng(crc32(stream.encode())).standard_normal(SAMPLE)
        return statistic[0], draws

    def estimate(self, sample, n, level=LEVEL):
        """[value, [range of the lower bound], [of the upper], texts]. If the greater part of the draws is missing there is
        no interval."""
        value, draws = sample
        there = np.sort(draws[~np.isnan(draws)])
        share = len(there) / SAMPLE
        if np.isnan(value) or share < 0.5:
            return {"value": None if np.isnan(value) else float(value), "low": None, "high": None, "n": n}
        assert share > 0.51, "whether there is an interval is left to chance"

        def around(q):
            error = BAND * np.sqrt(q * (1 - q) * (1 / RESAMPLES + 1 / SAMPLE) / share) + 1 / (RESAMPLES * share)
            return [float(there[int(np.clip(p, 0, 1) * (len(there) - 1))]) for p in (q - error, q + error)]
        tail = norm.cdf(-self.widen * student(self.prompts - 2).ppf((1 + level) / 2))
        return {"value": float(value), "low": around(tail), "high": around(1 - tail), "n": n}


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


def over_personas(means):
    """The mean over personas of what is there, along the first axis."""
    means = np.array(means)
    there = ~np.isnan(means)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(there, means, 0).sum(axis=0) / there.sum(axis=0)


def persona_means(table):
    sums, counts = table
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums.sum(axis=1) / counts.sum(axis=1)


def mean(table):
    return float(over_personas(persona_means(table)))


def prompts_of(table):
    return int((table[1].sum(axis=0) > 0).sum())


def texts_of(table):
    return int(table[1].sum())


def standard_error(table):
    """Of the mean over personas, prompts being the units: √(m/(m−1)·Σz²), z the mean over personas of (sum −
    mean·count)/texts of a prompt."""
    there = table[1].sum(axis=1) > 0
    sums, counts = table[0][there], table[1][there]
    m = prompts_of(table)
    if m < 2:
        return 0.0
    z = ((sums - persona_means((sums, counts))[:, None] * counts) / counts.sum(axis=1, keepdims=True)).sum(axis=0)
    return np.sqrt(m / (m - 1) * np.square(z).sum()) / there.sum()


def worth(p, se, m, doubt):
    """How many texts at the ends of the scale m prompts are worth: the variance of m such texts over that which was
    found, both with a doubt."""
    d = doubt * (1 - 2 * p) ** 2
    return max(0.5, m * (m * p * (1 - p) + d) / (m * m * se * se + d))


def bounded(boot, value, se, table, uncertainty=0.0):
    """A mean of scores with the quantiles of a beta distribution for as many texts as it is worth. The bounds are given
    as ranges, where se of a program rests on RESAMPLES draws."""
    out = {"value": None if np.isnan(value) else float(value), "low": None, "high": None, "n": texts_of(table)}
    m, scale = prompts_of(table), SCORES
    width = scale[1] - scale[0]
    if np.isnan(value) or m < 2:
        return out
    p, bounds = (value - scale[0]) / width, []
    for error in (max(0.0, 1 - BAND * uncertainty), 1, 1 + BAND * uncertainty):
        n = max(0.5, worth(p, se * error / width, m, DOUBT_OF_SCORES) * (norm.ppf((1 + LEVEL) / 2) / boot.t) ** 2)
        around = beta(p * n + 0.5, (1 - p) * n + 0.5)
        bounds.append([0 if value == scale[0] else around.ppf((1 - LEVEL) / 2), 1 if value == scale[1] else around.ppf((1 + LEVEL) / 2)])
    low, high = np.sort(scale[0] + width * np.array(bounds), axis=0).T
    return out | {"low": [low[0], low[-1]], "high": [high[0], high[-1]]}


def unseen(value, se, table, scale):
    """By how much the variance of that beta distribution, without Student's share, is above se²."""
    m, width = prompts_of(table), scale[1] - scale[0]
    if np.isnan(value) or m < 2:
        return 0.0
    p = (value - scale[0]) / width
    n = worth(p, se / width, m, DOUBT_OF_SCORES)
    near = (p * n + 0.5) / (n + 1)
    return max(0.0, width ** 2 * near * (1 - near) / (n + 2) - se ** 2)


def proportion(table):
    """A mean of zeros and ones with the bounds of Clopper and Pearson for as many texts as these are worth, at least
    as many as there are prompts and at most as there are texts."""
    p, m, n = mean(table), prompts_of(table), texts_of(table)
    if np.isnan(p):
        return {"value": None, "low": None, "high": None, "n": n}
    texts = m
    if 1 < m < n:
        quotient = student(n - 1).ppf((1 + LEVEL) / 2) / student(m - 1).ppf((1 + LEVEL) / 2)
        texts = min(max(m, worth(p, standard_error(table), m, DOUBT_OF_SHARES) * quotient ** 2), n)
    low = beta(p * texts, texts - p * texts + 1).ppf((1 - LEVEL) / 2) if p > 0 else 0.0
    high = beta(p * texts + 1, texts - p * texts).ppf((1 + LEVEL) / 2) if p < 1 else 1.0
    return {"value": p, "low": [low, low], "high": [high, high], "n": n}


class Series:
    """One condition of one persona, on all prompts (first) and on every resample, each with its own alphas."""

    def __init__(self, rows, persona, boot):
        prompts = boot.prompts
        self.persona, self.alphas = persona, sorted({r["alpha"] for r in rows})
        cells = [Cell([r for r in rows if r["alpha"] == a], [persona], prompts) for a in self.alphas]
        weights = np.vstack([np.ones(prompts), boot.weights])
        even = np.arange(prompts) % 2 == 0
        sides = [weights * even, weights * ~even]
        choice = np.empty((2, len(weights)), int)
        for half in (0, 1):
            doses = [self.dose(c, sides[1 - half]) for c in cells]  # chosen on the other half
            choice[half], good = choose_alpha(self.alphas, *np.array(doses).transpose(1, 0, 2))
            if half == 0:
                self.admissible = bool(good[0])
            else:
                self.admissible &= bool(good[0])
        self.at = [self.alphas[choice[h, 0]] for h in (0, 1)]
        self.rows = [r for r in rows if r["alpha"] == self.at[r["prompt"] % 2]]
        measure = lambda name: np.array([[weighted(getattr(c, name), side) for c in cells] for side in sides])  # [half, alpha, sum and count, resample]
        pick = lambda m: quotient(sum(m[h, choice[h], :, np.arange(len(weights))].T for h in (0, 1)))
        measures = {name: measure(name) for name in ("trait", "coherence", "collapse", "tokens")}
        self.trait, self.coherence, self.collapse, self.tokens = (pick(measures[n]) for n in ("trait", "coherence", "collapse", "tokens"))
        whole = lambda m: [quotient(m[0, a] + m[1, a]) for a in range(len(cells))]
        self.curve = list(zip(self.alphas, whole(measures["trait"]), whole(measures["coherence"])))
        with np.errstate(invalid="ignore"):
            self.comparable = np.where(np.isnan(self.trait) & (self.collapse == 1), 1, self.trait)

    @staticmethod
    def dose(cell, weights):
        """[trait, margin] by resample: the margin by which coherence and collapse pass, each a standard error worse."""
        of = lambda table: quotient(weighted(table, weights))
        margin = np.minimum((of(cell.coherence) - cluster_error(cell.coherence, weights)) / COHERENCE,
                            (1 - of(cell.collapse) - cluster_error(cell.collapse, weights)) / (1 - COLLAPSE))
        return of(cell.trait), margin


def weighted(table, weights):
    return np.array([weights @ table[0][0], weights @ table[1][0]])


def quotient(sum_and_count):
    with np.errstate(invalid="ignore", divide="ignore"):
        return sum_and_count[0] / sum_and_count[1]


def cluster_error(table, weights):
    """√(m/(m−1)·Σ(sum − mean·count)²)/Σcount, prompts drawn twice being two."""
    sums, counts = table[0][0], table[1][0]
    m, total = weights @ (counts > 0), weights @ counts
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = (weights @ sums) / total
        rest = np.square(sums[None] - middle[:, None] * counts[None])
        out = np.sqrt(m / (m - 1) * (weights * rest).sum(axis=1)) / total
    return np.where(m < 2, 0, out)


def choose_alpha(alphas, traits, margins):
    """The highest trait among the doses that pass, else the nearest; ties and doses without a trait go to the weaker."""
    out, good = np.empty(traits.shape[1], int), np.empty(traits.shape[1], bool)
    for r in range(traits.shape[1]):
        doses = [(a, t, m) for a, t, m in zip(range(len(alphas)), traits[:, r], margins[:, r])]
        passing = [d for d in doses if d[2] > 1]
        rank = (lambda d: (-np.inf if np.isnan(d[1]) else d[1], -abs(alphas[d[0]]))) if passing else (lambda d: (d[2], -abs(alphas[d[0]])))
        out[r], good[r] = max(passing or doses, key=rank)[0], bool(passing)
    return out, good


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


def variance_between_vectors(rows, all_series, personas, prompts, mapped):
    """Of the effects of random vectors, at the alphas of the mapped and the native one: (MSB − MSW)/n₀, less its own variance over it, never below 0."""
    between = within = free_between = free_within = sizes = pairs = 0
    analyses, draws = 0, []
    for condition in RANDOM:
        for persona in personas:
            base = Cell(all_series[BASELINE][persona].rows, [persona], prompts)
            pairs += 1
            unsteered = quotient((base.trait[0][0], base.trait[1][0]))
            for alpha in sorted({a for c in (mapped, ORACLE) for a in all_series[c][persona].at}):
                groups = {}
                for r in rows:
                    if (r["condition"], r["persona"], r["alpha"]) == (condition, persona, alpha) and not r["collapse"]:
                        if not np.isnan(r["trait"] - unsteered[r["prompt"]]):
                            groups.setdefault(r["draw"], []).append(r["trait"] - unsteered[r["prompt"]])
                if len(groups) < 2:
                    continue
                sides = [np.array(g) for g in groups.values()]
                n, k, middle = sum(map(len, sides)), len(sides), np.concatenate(sides).mean()
                between += sum(len(g) * (g.mean() - middle) ** 2 for g in sides)
                within += sum(np.square(g - g.mean()).sum() for g in sides)
                free_between, free_within = free_between + k - 1, free_within + n - k
                sizes += (n - sum(len(g) ** 2 for g in sides) / n) / (k - 1)
                analyses += 1
                draws.append(k)
    if free_within == 0:
        return between / free_between, min(draws)
    b, w, size = between / free_between, within / free_within, sizes / analyses
    v = (b - w) / size
    if v <= 0:
        return 0.0, min(draws)
    error = 2 * analyses / pairs * (b ** 2 / free_between + w ** 2 / free_within) / size ** 2  # one vector at two alphas is no two vectors
    return max(0.0, v - error / v), min(draws)


class Group:
    """One persona, or several that count the same."""

    def __init__(self, boot, rows, series, personas, mapped, spread):
        self.boot, self.personas, self.mapped = boot, personas, mapped
        self.series = {c: [s[p] for p in personas] for c, s in series.items()}
        self.cells = {c: Cell([r for one in s for r in one.rows], personas, boot.prompts) for c, s in self.series.items()}
        self.rows = rows
        variance, draws = spread
        self.null = variance / len(personas)
        self.spread = self.null * (1 + 1 / draws)
        self.samples = {}

    def statistic(self, condition, measure):
        return over_personas([getattr(s, {"trait": "comparable"}.get(measure, measure)) for s in self.series[condition]])

    def compared(self, condition, measure="trait"):
        key = condition, measure
        if key not in self.samples:
            s, scale = self.statistic(*key), SHARES if measure == "collapse" else SCORES
            v = unseen(s[0], self.boot.deviation(s), getattr(self.cells[condition], measure), scale)
            self.samples[key] = self.boot.sample(s, v, f"{condition} {measure}")
        return self.samples[key]

    def against(self, sample):
        return sample[0], sample[1] + np.sqrt(self.spread) * np.random.default_rng(2).standard_normal(SAMPLE)

    def texts(self, *conditions):
        return min(texts_of(self.cells[c].trait) for c in conditions)

    def trait_sample(self, a, b):
        d = minus(self.compared(a), self.compared(b))
        noise = [BASELINE, *CONTROLS]
        return self.against(d) if (a in noise) != (b in noise) else d

    def trait_difference(self, a, b):
        return self.boot.estimate(self.trait_sample(a, b), self.texts(a, b))

    def at_equal_coherence(self, c):
        """The mapped vector's dose is moved to where it is as coherent as the other, on straight lines between alphas."""
        if c == BASELINE:
            return {"value": None, "low": None, "high": None, "n": 0}
        personas = []
        for m, base, rival in zip(self.series[self.mapped], self.series[BASELINE], self.series[c]):
            trait, before, last = base.trait.copy(), base.coherence, base.trait
            with np.errstate(invalid="ignore", divide="ignore"):
                for alpha, t, now in m.curve:
                    if alpha <= 0:
                        continue
                    there = ~np.isnan(t) & ~np.isnan(now)
                    between = last + (t - last) * (before - rival.coherence) / (before - now)
                    trait = np.where(there & (now >= rival.coherence), t, np.where(there & (before >= rival.coherence), between, trait))
                    last, before = np.where(there, t, last), np.where(there, now, before)
            personas.append(trait - rival.trait)
        d = self.boot.sample(over_personas(personas))
        return self.boot.estimate(self.against(d) if c in CONTROLS else d, self.texts(self.mapped, c))

    def at_equal_length(self, c):
        """The difference without what the slope of trait on tokens, within persona and condition, makes of the length."""
        xy = xx = 0.0
        for condition in (self.mapped, c):
            for persona in self.personas:
                own = [(len(r["tokens"]), r["trait"]) for r in self.cells[condition].rows if r["persona"] == persona and not r["collapse"] and not np.isnan(r["trait"])]
                if own:
                    x, y = np.array(own, float).T
                    xy, xx = xy + ((x - x.mean()) * (y - y.mean())).sum(), xx + np.square(x - x.mean()).sum()
        slope = xy / xx if xx else 0.0
        longer = self.statistic(self.mapped, "tokens") - self.statistic(c, "tokens")
        d, n = self.trait_sample(self.mapped, c), self.boot.sample(longer)
        return self.boot.estimate((d[0] - slope * n[0], d[1] - slope * n[1]), self.texts(self.mapped, c))

    def summary(self, condition):
        cell, s = self.cells[condition], self.series[condition]
        trait, coherence = over_personas([x.trait for x in s]), over_personas([x.coherence for x in s])
        return {"texts": len(cell.rows), "missing_traits": len(cell.rows) - texts_of(cell.trait),
                "trait": bounded(self.boot, trait[0], self.boot.deviation(trait), cell.trait, self.boot.uncertainty(trait)),
                "coherence": bounded(self.boot, coherence[0], self.boot.deviation(coherence), cell.coherence, self.boot.uncertainty(coherence)),
                "collapse": proportion(cell.collapse), "tokens": mean(cell.tokens), "perplexity": float(np.exp(mean(cell.log_perplexity)))}

    def at_alpha(self, condition, alpha):
        cell = Cell([r for r in self.rows if r["condition"] == condition and r["alpha"] == alpha], self.personas, self.boot.prompts)
        simple = lambda t: bounded(self.boot, mean(t), standard_error(t), t)
        return {"alpha": alpha, "texts": len(cell.rows), "missing_traits": len(cell.rows) - texts_of(cell.trait), "trait": simple(cell.trait),
                "coherence": simple(cell.coherence), "collapse": proportion(cell.collapse), "tokens": mean(cell.tokens),
                "perplexity": float(np.exp(mean(cell.log_perplexity)))}

    def report(self, c):
        mapped = self.mapped
        choices = [{"persona": s.persona, "even": s.at[0], "odd": s.at[1], "admissible": s.admissible} for s in self.series[c]]
        out = {"condition": c, "alphas": choices, **self.summary(c),
               "by_alpha": [self.at_alpha(c, a) for a in sorted({r["alpha"] for r in self.rows if r["condition"] == c})]}
        if c != BASELINE:
            out["effect"] = self.trait_difference(c, BASELINE)
            out["moved"] = proportion(moved(self.cells[c], self.cells[BASELINE]))
        if c != mapped:
            n = lambda m: min(texts_of(getattr(self.cells[x], m)) for x in (mapped, c))
            difference = lambda m: self.boot.estimate(minus(self.compared(mapped, m), self.compared(c, m)), n(m))
            out["mapped_minus_this"] = {"trait": self.trait_difference(mapped, c), "coherence": difference("coherence"), "collapse": difference("collapse"),
                                        "trait_at_equal_coherence": self.at_equal_coherence(c), "trait_at_equal_length": self.at_equal_length(c),
                                        "mcnemar": mcnemar(self.cells[mapped], self.cells[c])}
        return out

    def recovery(self):
        """What the mapped vector gains over none, as a share of what the native one does, and whether it is to be told: if
        the latter is above 0 and the interval is narrower than 1. None is where that is left to chance."""
        base = self.compared(BASELINE)
        below = minus(self.compared(ORACLE), base)
        shown = above(self.boot.estimate(below, 0), 0)
        if shown is False:
            return {"given": False}
        over = minus(self.compared(self.mapped), base)
        with np.errstate(invalid="ignore", divide="ignore"):
            e = self.boot.estimate((over[0] / below[0], over[1] / below[1]), self.texts(self.mapped, ORACLE, BASELINE))
        narrowest, widest = e["high"][0] - e["low"][1], e["high"][1] - e["low"][0]
        return e | {"given": False if narrowest >= 1 else True if widest < 1 and shown else None}

    def over_best(self, c, level=LEVEL):
        rivals = [self.compared(r) for r in [BASELINE, *CONTROLS]]
        best = np.fmax.reduce([r[0] for r in rivals]), np.fmax.reduce([r[1] for r in rivals])
        return self.boot.estimate(self.against(minus(self.compared(c), best)), self.texts(BASELINE, *CONTROLS, c), level)

    def verdict(self, auroc, d_prime, margin):
        """inconclusive; 1: every criterion; 2: the mapped vector beats the best control; 3: it does not, and falls short.
        What is left to chance is None."""
        c, of = self.mapped, self.summary(self.mapped)
        best, short = self.over_best(c, STRICT), self.trait_difference(c, ORACLE)
        gates = {"auroc of the trait scorer": auroc >= AUROC, "d′ of the persona over unsteered texts": d_prime >= D_PRIME,
                 "oracle − best control, trait": above(self.over_best(ORACLE), 0)}
        needed = {f"{c}, coherence": above(of["coherence"], COHERENCE), f"{c}, trait": above(of["trait"], TRAIT),
                  f"{c}, collapse": below(of["collapse"], COLLAPSE)}
        needed |= {f"{c} − {r}, trait": above(self.trait_difference(c, r), 0) for r in [BASELINE, *CONTROLS]}
        needed |= {f"{c} − best control, trait": above(best, 0), f"{c} − oracle, trait": above(short, -margin)}

        def outcome(gates_met, all_met, beats, falls_short):
            return "inconclusive" if not gates_met else "1" if all_met else "2" if beats else "3" if falls_short else "inconclusive"
        either = lambda known: [known] if known is not None else [True, False]
        every = lambda known: [False] if False in known else [True] if None not in known else [True, False]
        possible = {outcome(*case) for case in product(every(gates.values()), every(needed.values()), either(needed[f"{c} − best control, trait"]),
                                                       either(below(short, -margin)))}
        return {"outcome": possible.pop() if len(possible) == 1 else None, "auroc": auroc, "criteria": gates | needed, "superior": above(short, 0)}


def minus(a, b):
    return a[0] - b[0], a[1] - b[1]


def evaluate(rows, personas, prompts, primary, aurocs, d_primes):
    """The pooled group and that of each persona."""
    boot, mapped = Resamples(prompts), primary["condition"]
    conditions = list(dict.fromkeys(r["condition"] for r in rows))
    series = {c: {p: Series([r for r in rows if r["condition"] == c and r["persona"] == p], p, boot) for p in personas} for c in conditions}
    spread = variance_between_vectors(rows, series, personas, prompts, mapped)

    def group(of):
        g = Group(boot, [r for r in rows if r["persona"] in of], series, of, mapped, spread)
        versus = [(c, g.trait_difference(mapped, c)) for c in primary["versus"]]
        noise = [above(g.trait_difference(mapped, c), 0) for c in RANDOM]
        shown = lambda c, d: (known := [above(d, 0)] + (noise if c == BASELINE else [])) and (False if False in known else None if None in known else True)
        return {"persona": of[0] if len(of) == 1 else "", "conditions": [g.report(c) for c in conditions], "recovery": g.recovery(), "spread": np.sqrt(g.null),
                "primary": [{"versus": c, "difference": d, "shown": shown(c, d)} for c, d in versus],
                "verdict": g.verdict(min(aurocs[p] for p in of), min(d_primes[p] for p in of), primary["margin"])}
    return group(personas), [group([p]) for p in personas]


def above(estimate, threshold):
    """The whole interval is above; None if that hangs on the resamples that are drawn."""
    low = estimate["low"]
    return False if low is None or low[1] <= threshold else True if low[0] > threshold else None


def below(estimate, threshold):
    high = estimate["high"]
    return False if high is None or high[0] >= threshold else True if high[1] < threshold else None
