"""Writes sklearn.json: areas under the ROC and a logistic regression by scikit-learn.

    python make_sklearn.py > sklearn.json
"""

import json
import sys

import numpy
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

rng = numpy.random.default_rng(20240612)
auroc = []
for n, m, shift, decimals in ((5, 7, 0.5, 9), (24, 24, 1, 9), (30, 10, 0, 9), (40, 40, 1, 0), (3, 3, 9, 9), (8, 8, 0, 0)):
    p = numpy.round(rng.normal(size=n) + shift, decimals)
    q = numpy.round(rng.normal(size=m), decimals)
    area = roc_auc_score([1] * n + [0] * m, numpy.concatenate([p, q]))
    auroc.append({"positive": p.tolist(), "negative": q.tolist(), "auroc": area})

x = rng.normal(size=(30, 5)) * (rng.random((30, 5)) < 0.6)
y = (x[:, 0] - x[:, 1] + rng.normal(size=30) > 0.8).astype(int)
lr = LogisticRegression(C=10, class_weight="balanced", solver="newton-cg", tol=1e-12, max_iter=1000).fit(x, y)

json.dump({
    "versions": {"python": sys.version.split()[0], "numpy": numpy.__version__, "scikit-learn": sklearn.__version__},
    "auroc": auroc,
    "logistic": {"x": x.tolist(), "y": y.tolist(), "weights": lr.coef_[0].tolist(), "bias": lr.intercept_[0]},
}, sys.stdout)
print()
