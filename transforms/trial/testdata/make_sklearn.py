"""Writes sklearn.json: areas under the ROC, a logistic regression and a probe by scikit-learn.

    python make_sklearn.py > sklearn.json
"""

import json
import sys

import numpy
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

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


def probe(positive, negative):
    """Logistic regression on standardised dimensions, divided by the root of their number."""
    model = make_pipeline(StandardScaler(), FunctionTransformer(lambda z: z / z.shape[1] ** 0.5),
                          LogisticRegression(C=10, class_weight="balanced", solver="newton-cg", tol=1e-12, max_iter=1000))
    return model.fit(numpy.concatenate([positive, negative]), [1] * len(positive) + [0] * len(negative))


# Dimensions of very different widths, one that is always the same, and sides of different size.
width = numpy.array([1, 1000, 0.01, 1, 5, 0, 1, 1])
positive = (rng.normal(size=(13, 8)) + [1, 1, 0, 0, 0, 0, 0, 1]) * width + 3
negative = rng.normal(size=(9, 8)) * width + 3
held = {"positive": numpy.zeros(13), "negative": numpy.zeros(9)}
for k in range(5):  # text i of a side is in fold i mod 5
    inside = lambda side: side[numpy.arange(len(side)) % 5 != k]
    model = probe(inside(positive), inside(negative))
    for name, side in (("positive", positive), ("negative", negative)):
        held[name][k::5] = model.decision_function(side[k::5])

json.dump({
    "versions": {"python": sys.version.split()[0], "numpy": numpy.__version__, "scikit-learn": sklearn.__version__},
    "auroc": auroc,
    "logistic": {"x": x.tolist(), "y": y.tolist(), "weights": lr.coef_[0].tolist(), "bias": lr.intercept_[0]},
    "probe": {"positive": positive.tolist(), "negative": negative.tolist(), "logit_positive": probe(positive, negative).decision_function(positive).tolist(),
              "held_out_positive": held["positive"].tolist(), "held_out_negative": held["negative"].tolist()},
}, sys.stdout)
print()
