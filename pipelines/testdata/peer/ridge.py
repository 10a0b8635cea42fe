"""Cross-validated ridge by others, on the files that this program fits: what scripts/bench-ridge.sh runs.

    python ridge.py make N D E FOLDER          x.npy and y.npy
    python ridge.py unit FOLDER                tr(XᵀX)/d of x.npy about its mean, of which penalties are multiples
    python ridge.py WAY FOLDER PENALTIES       prints seconds, MiB resident and the scores as JSON

WAY: sklearn, GridSearchCV over Ridge; maps, numpy and SciPy with the Grams of the folds, a Cholesky decomposition
and a map for each fold and penalty; rows, the same but solving for the held-out rows instead of a map, as this
program does. All read float32 and compute in float64, choose a penalty and fit the map of all rows with it.
"""
import json
import resource
import sys
import time

import numpy as np

FOLDS = 5


def make(n, d, e, folder):
    """Rows with a few hundred common directions of falling size, noise and means, as residuals have them."""
    common = np.random.default_rng(7).standard_normal((n, 256), dtype=np.float32)
    for name, width, seed in (("x", d, 1), ("y", e, 2)):
        rng = np.random.default_rng(seed)
        loads = rng.standard_normal((256, width), dtype=np.float32) * np.arange(1, 257, dtype=np.float32)[:, None] ** -0.5
        rows = common @ loads + 0.3 * rng.standard_normal((n, width), dtype=np.float32) + 3 * rng.standard_normal(width, dtype=np.float32)
        np.save(f"{folder}/{name}.npy", rows)


def r2(y, predicted):
    return 1 - np.square(y - predicted).sum() / np.square(y - y.mean(axis=0)).sum()


def by_grams(x, y, fold, penalties, by_rows):
    from scipy.linalg import cho_factor, cho_solve

    d = x.shape[1]
    parts = []
    for k in range(FOLDS):
        a, b = x[fold == k].astype(np.float64), y[fold == k].astype(np.float64)
        parts.append([a.T @ a, a.T @ b, a.sum(axis=0), b.sum(axis=0), len(a)])
    total = [sum(p[i] for p in parts) for i in range(5)]

    def system(gram, cross, sx, sy, n, penalty):
        """A = XᵀX + λI and XᵀY about the means."""
        a = gram - np.outer(sx, sx) / n
        a.flat[:: d + 1] += penalty
        return a, cross - np.outer(sx, sy) / n, sx / n, sy / n

    scores = {penalty: [] for penalty in penalties}
    for k, part in enumerate(parts):
        rest = [t - p for t, p in zip(total, part)]
        held_x, held_y = x[fold == k].astype(np.float64), y[fold == k].astype(np.float64)
        for penalty in penalties:
            a, b, mx, my = system(*rest, penalty)
            factor = cho_factor(a, overwrite_a=True, check_finite=False)
            if by_rows:
                predicted = cho_solve(factor, (held_x - mx).T, check_finite=False).T @ b
            else:
                predicted = (held_x - mx) @ cho_solve(factor, b, check_finite=False)
            scores[penalty].append(r2(held_y, predicted + my))
    mean = {penalty: float(np.mean(s)) for penalty, s in scores.items()}
    a, b, _, _ = system(*total, max(mean, key=mean.get))
    cho_solve(cho_factor(a, overwrite_a=True, check_finite=False), b, check_finite=False)
    return mean


def by_sklearn(x, y, fold, penalties):
    from sklearn.linear_model import Ridge
    from sklearn.metrics import make_scorer, r2_score
    from sklearn.model_selection import GridSearchCV, GroupKFold

    scorer = make_scorer(r2_score, multioutput="variance_weighted")
    search = GridSearchCV(Ridge(solver="cholesky"), {"alpha": penalties}, cv=GroupKFold(FOLDS), scoring=scorer)
    search.fit(x.astype(np.float64), y.astype(np.float64), groups=fold)
    return dict(zip(penalties, search.cv_results_["mean_test_score"].tolist()))


def main(way, *args):
    if way == "make":
        return make(*map(int, args[:3]), args[3])
    folder = args[0]
    if way == "unit":
        x = np.load(folder + "/x.npy").astype(np.float64)
        return print(np.square(x - x.mean(axis=0)).sum() / x.shape[1])
    penalties = [float(l) for l in args[1].split(",")]
    x, y = np.load(folder + "/x.npy"), np.load(folder + "/y.npy")
    fold = np.repeat(np.arange(FOLDS), [len(p) for p in np.array_split(np.arange(len(x)), FOLDS)])
    begun = time.time()
    scores = by_sklearn(x, y, fold, penalties) if way == "sklearn" else by_grams(x, y, fold, penalties, way == "rows")
    seconds = time.time() - begun
    print(json.dumps({"seconds": seconds, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "scores": scores}))


main(*sys.argv[1:])
