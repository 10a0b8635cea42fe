"""Writes sklearn.json: ridge maps and grouped cross-validation scores by scikit-learn.

    python make_sklearn.py > sklearn.json

Alphas are scikit-learn's, which are absolute penalties. Relative ones are multiples of
tr(XcᵀXc)/d of the rows fitted, so they are converted here once per training set.
"""

import json
import sys

import numpy
import sklearn
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

N, D, E, DOCUMENTS, FOLDS = 90, 6, 4, 18, 5
rng = numpy.random.default_rng(20240611)
x = (rng.normal(size=(N, D)) * [1, 2, 5, 0.5, 1, 3] + [0, 10, -3, 1, 0, 2]).astype(numpy.float32)
w = rng.normal(size=(D, E))
y = (x @ w + 4 * rng.normal(size=(N, E)) + [1, 2, 3, 4]).astype(numpy.float32)
groups = numpy.sort(rng.integers(0, DOCUMENTS, size=N))
X, Y = x.astype(numpy.float64), y.astype(numpy.float64)


def unit(rows, centre):
    rows = rows - rows.mean(0) if centre else rows
    return (rows**2).sum() / D


def ridge(X, Y, alpha, centre):
    return Ridge(alpha=alpha, fit_intercept=centre, solver="cholesky").fit(X, Y)


maps = []
for centre in (True, False):
    for relative in (1e-6, 1e-3, 0.1, 10):
        alpha = relative * unit(X, centre)
        m = ridge(X, Y, alpha, centre)
        maps.append({
            "method": "ridge", "centre": centre, "lambda": relative, "alpha": alpha,
            "w": m.coef_.T.ravel().tolist(), "predict": m.predict(X[:3]).ravel().tolist(),
        })
m = LinearRegression().fit(X, Y)
maps.append({"method": "ols", "centre": True, "lambda": 0, "alpha": 0,
             "w": m.coef_.T.ravel().tolist(), "predict": m.predict(X[:3]).ravel().tolist()})
scaler = StandardScaler().fit(X)
m = ridge(scaler.transform(X), Y, 0.1 * N, True)
maps.append({"method": "standardised", "centre": True, "lambda": 0.1, "alpha": 0.1 * N,
             "w": (m.coef_ / scaler.scale_).T.ravel().tolist(),
             "predict": m.predict(scaler.transform(X[:3])).ravel().tolist()})

folds = [test.tolist() for _, test in GroupKFold(FOLDS).split(X, Y, groups)]
scores = []
for centre in (True, False):
    for relative in (1e-3, 0.1, 1, 10):
        weighted, uniform, median = [], [], []
        for test in folds:
            train = numpy.setdiff1d(numpy.arange(N), test)
            p = ridge(X[train], Y[train], relative * unit(X[train], centre), centre).predict(X[test])
            weighted.append(r2_score(Y[test], p, multioutput="variance_weighted"))
            each = r2_score(Y[test], p, multioutput="raw_values")
            uniform.append(each.mean())
            median.append(numpy.median(each))
        scores.append({
            "centre": centre, "lambda": relative, "r2": numpy.mean(weighted),
            "standard_error": numpy.std(weighted, ddof=1) / FOLDS**0.5,
            "r2_standardised": numpy.mean(uniform), "r2_median": numpy.mean(median),
        })

json.dump({
    "versions": {"python": sys.version.split()[0], "numpy": numpy.__version__, "scikit-learn": sklearn.__version__},
    "n": N, "d": D, "e": E, "x": x.ravel().tolist(), "y": y.ravel().tolist(),
    "folds": folds, "maps": maps, "scores": scores,
}, sys.stdout)
print()
