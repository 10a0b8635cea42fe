"""Writes sklearn.json: maps, grouped cross-validation scores and degrees of freedom by scikit-learn and numpy.

    python make_sklearn.py > sklearn.json

Alphas are scikit-learn's, which are absolute penalties. Relative ones are multiples of tr(XᵀX)/d of the rows
that are fitted, as they are fitted: centred, and standardised. Ridge is solved by a singular value decomposition
of the rows, so its error is that of the rows' condition, the root of the Gram's.
"""

import json
import sys

import numpy
import sklearn
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import mean_squared_error, r2_score
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

GRID = [1e-8, 1e-6, 1e-4, 1e-3, 0.01, 0.1, 0.3, 1, 3, 10, 100, 1000]
MAPS = [1e-8, 1e-3, 1]  # of the grid
rng = numpy.random.default_rng(20240611)


class Prepared:
    """Rows as they are fitted, and what brings others to the same units."""

    def __init__(self, X, method, centre):
        self.mean = X.mean(0) if centre else numpy.zeros(X.shape[1])
        self.scale = numpy.ones(X.shape[1])
        if method == "standardised" and centre:
            self.scale = StandardScaler().fit(X).scale_
        elif method == "standardised":  # about zero, of which scikit-learn has no scaler
            root = numpy.sqrt((X**2).mean(0))
            self.scale = numpy.where(root > 0, root, 1)
        fitted = self.of(X) if centre else X / self.scale
        self.trace, self.d = (fitted**2).sum(), X.shape[1]
        self.squares = numpy.zeros(self.d)  # the eigenvalues of the Gram
        values = numpy.linalg.svd(fitted, compute_uv=False) ** 2
        self.squares[: len(values)] = numpy.where(values > 1e-25 * values[0], values, 0)

    def of(self, X):
        return (X - self.mean) / self.scale

    def alpha(self, relative):
        return relative * self.trace / self.d

    def condition(self, alpha):
        return (self.squares.max() + alpha) / (self.squares.min() + alpha)

    def freedom(self, alpha):
        return (self.squares / (self.squares + alpha)).sum()


def fit(X, Y, method, centre, relative):
    """The predictions, the map in the units of X, and the rows that it was fitted on."""
    p = Prepared(X, method, centre)
    if method == "ols":
        m = LinearRegression(fit_intercept=centre).fit(X, Y)
    else:
        m = Ridge(alpha=p.alpha(relative), fit_intercept=centre, solver="svd").fit(X / p.scale, Y)
    w = m.coef_.reshape(Y.shape[1], p.d) / p.scale
    return (lambda X: m.predict(X / p.scale).reshape(-1, Y.shape[1])), w.T, p


def cross_validate(X, Y, fold, method, centre, relative):
    """The scores in the order of the Go test's names, and the largest condition of a fold."""
    weighted, uniform, median, worst = [], [], [], 0
    predicted, errors, total = numpy.zeros(Y.shape), 0, 0
    for k in range(fold.max() + 1):
        held = fold == k
        predict, _, p = fit(X[~held], Y[~held], method, centre, relative)
        predicted[held] = predict(X[held])
        y, q = Y[held], predicted[held]
        weighted.append(r2_score(y, q, multioutput="variance_weighted"))
        uniform.append(r2_score(y, q, multioutput="uniform_average"))
        median.append(numpy.median(r2_score(y, q, multioutput="raw_values")))
        errors, total = errors + ((y - q) ** 2).sum(), total + ((y - y.mean(0)) ** 2).sum()
        worst = max(worst, p.condition(p.alpha(relative)))
    p = Prepared(X, method, centre)
    return {"condition": worst, "values": [
        numpy.mean(weighted), numpy.std(weighted, ddof=1) / len(weighted) ** 0.5, numpy.mean(uniform), numpy.mean(median),
        1 - errors / total, mean_squared_error(Y, predicted), p.freedom(p.alpha(relative)),
    ]}


def scene(name, x, y, fold, ols=False, grid=GRID):
    x, y = numpy.atleast_2d(x).astype(numpy.float32), numpy.atleast_2d(y).astype(numpy.float32)
    X, Y = x.astype(numpy.float64), y.astype(numpy.float64)
    out = {"name": name, "n": len(X), "d": X.shape[1], "e": Y.shape[1], "x": short(x), "y": short(y),
           "fold": fold.tolist(), "grid": grid, "maps": [], "scores": []}
    for centre in (True, False):
        for method, lambdas in [("ridge", MAPS), ("standardised", MAPS)] + [("ols", [0])] * ols:
            for relative in lambdas:
                predict, w, p = fit(X, Y, method, centre, relative)
                out["maps"].append({
                    "method": method, "centre": centre, "lambda": relative, "alpha": p.alpha(relative),
                    "condition": p.condition(p.alpha(relative)), "w": w.ravel().tolist(), "predict": predict(X[:3]).ravel().tolist(),
                })
            if method != "ols":
                out["scores"].append({"method": method, "centre": centre, "each": [
                    cross_validate(X, Y, fold, method, centre, relative) for relative in grid]})
    return out


def short(rows):
    """The shortest decimals that are read back as the same float32."""
    return [float(str(v)) for v in rows.ravel()]


def rows(n, d, e):
    """Rows of uneven scale and other means than zero, and targets that follow from them in part."""
    x = rng.normal(size=(n, d)) * (1 + numpy.arange(d) % 5) + numpy.arange(d) % 4 - 1
    return x, x @ rng.normal(size=(d, e)) + 4 * rng.normal(size=(n, e)) + numpy.arange(e) + 1


def grouped(n, folds, documents):
    """The fold of each row, whole documents in one, by GroupKFold."""
    fold, groups = numpy.zeros(n, int), rng.permutation(numpy.arange(n) % documents)
    for k, (_, test) in enumerate(GroupKFold(folds).split(numpy.zeros(n), None, groups)):
        fold[test] = k
    return fold


def odd(x, fold):
    """Constant columns, of which one is no sum of few powers of two, one of zeros, and one that is constant but in fold 0."""
    x[:, 0], x[:, 1], x[:, 2] = 7, 0.1, 0
    x[fold != 0, 3] = 3.3
    return x


def twins(x):
    """Every other column is the one before it, or twice that."""
    x[:, 1::2] = x[:, 0:-1:2] * (1 + numpy.arange(x.shape[1] // 2) % 2)
    return x


SHAPES = {"many held out": (50, 7, 3, 4, 13), "few held out": (48, 16, 3, 5, 15), "fewer than dimensions": (16, 20, 3, 4, 8)}
scenes = []
for shape, (n, d, e, folds, documents) in SHAPES.items():
    (x, y), fold = rows(n, d, e), grouped(n, folds, documents)
    scenes.append(scene(shape, x, y, fold, ols=n > d))
    (x, y), fold = rows(n, d, e), grouped(n, folds, documents)
    scenes.append(scene("odd columns, " + shape, odd(x, fold), y, fold))
    (x, y), fold = rows(n, d, e), grouped(n, folds, documents)
    scenes.append(scene("equal columns, " + shape, twins(x), y, fold))
sizes = [50, 6, 4, 2, 2]  # the rest of the first are fewer than dimensions
(x, y), fold = rows(sum(sizes), 16, 3), numpy.repeat(numpy.arange(len(sizes)), sizes)
scenes.append(scene("unequal groups", x, y, fold, ols=True))
(x, y), fold = rows(5000, 1, 1), grouped(5000, 5, 200)
scenes.append(scene("one column of 5,000 rows", x, y, fold, ols=True))

json.dump({
    "versions": {"python": sys.version.split()[0], "numpy": numpy.__version__, "scikit-learn": sklearn.__version__},
    "scenes": scenes,
}, sys.stdout, separators=(",", ":"))
print()
