"""Makes the files of rows that the tests read, as other programs write them, and fits.json: what
scikit-learn makes of them. Run in this folder:

    python make.py

fits.json names the versions.
"""

import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import safetensors
import safetensors.torch
import sklearn
import torch
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold, KFold

ROWS, WIDE, NARROW, FOLDS = 60, 6, 4, 3
LAMBDAS = [0.01, 1.0, 100.0]

rng = np.random.default_rng(11)
x = (rng.normal(size=(ROWS, WIDE)) + 2).astype("f4")
y = (x @ rng.normal(size=(WIDE, NARROW)) + rng.normal(size=(ROWS, NARROW)) - 1).astype("f4")
# Sizes that are all different leave nothing for a draw to decide.
sizes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 15]
groups = np.repeat(rng.permutation(10), np.array(sizes))
groups = groups[rng.permutation(ROWS)].astype("i4")

np.save("x.npy", x)
np.save("y.npy", y)
np.save("groups.npy", groups)
np.save("y64.npy", y.astype("f8"))
open("groups.txt", "w").write("".join(f"text {g}\n" for g in groups))
json.dump([f"text {g}" for g in groups], open("groups.json", "w"))
safetensors.torch.save_file({"h": torch.tensor(x), "mean": torch.tensor(x).mean(0)}, "x.safetensors")
safetensors.torch.save_file({f"h.{i}": torch.tensor(x[10 * i : 10 * i + 10]) for i in range(6)}, "parts.safetensors")
half = {"f16": torch.tensor(x).half(), "bf16": torch.tensor(x).bfloat16(), "f64": torch.tensor(x).double()}
safetensors.torch.save_file(half, "types.safetensors")


def arrow(name, values, dtype, batch):
    column = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1), type=dtype), values.shape[1])
    table = pa.table({"id": pa.array(range(len(values))), "text": pa.array([f"row {i}" for i in range(len(values))]), "h": column})
    with pa.ipc.new_file(name, table.schema) as out:
        out.write_table(table, max_chunksize=batch)


arrow("x.arrow", x, pa.float32(), 25)
arrow("x16.arrow", x.astype("f2"), pa.float16(), None)
arrow("x64.arrow", x.astype("f8"), pa.float64(), 60)


def fit(folds, centre, unit):
    """Ridge of each penalty: scores over the folds, and the map of all rows with the best."""
    X, Y = x.astype("f8"), y.astype("f8")

    def absolute(rows, penalty):
        if unit == "absolute":
            return penalty
        centred = X[rows] - X[rows].mean(0) if centre else X[rows]
        return penalty * np.square(centred).sum() / WIDE

    scores = []
    for penalty in LAMBDAS:
        weighted, uniform = [], []
        for train, held in folds:
            m = Ridge(alpha=absolute(train, penalty), fit_intercept=centre, solver="cholesky").fit(X[train], Y[train])
            weighted.append(r2_score(Y[held], m.predict(X[held]), multioutput="variance_weighted"))
            uniform.append(r2_score(Y[held], m.predict(X[held]), multioutput="uniform_average"))
        scores.append({"lambda": penalty, "r2": np.mean(weighted), "r2_standardised": np.mean(uniform)})
    best = max(scores, key=lambda s: s["r2"])["lambda"]
    everything = np.arange(ROWS)
    m = Ridge(alpha=absolute(everything, best), fit_intercept=centre, solver="cholesky").fit(X, Y)
    carried = np.arange(1, WIDE + 1) @ m.coef_.T
    return {"scores": scores, "best": best, "w": m.coef_.T.tolist(), "intercept": np.broadcast_to(m.intercept_, NARROW).tolist(), "carried": carried.tolist()}


blocks = list(KFold(FOLDS).split(x))
grouped = list(GroupKFold(FOLDS).split(x, y, groups))
versions = {"python": sys.version.split()[0], "numpy": np.__version__, "pyarrow": pa.__version__, "safetensors": safetensors.__version__, "sklearn": sklearn.__version__, "torch": torch.__version__}
fits = {"versions": versions, "lambdas": LAMBDAS, "folds": FOLDS}
fold = {int(i): k for k, (_, held) in enumerate(grouped) for i in held}
fits["grouped"] = [fold[i] for i in range(ROWS)]
fits["cases"] = {
    "blocks": fit(blocks, True, "absolute"),
    "blocks relative": fit(blocks, True, "relative"),
    "groups": fit(grouped, True, "absolute"),
    "groups uncentred": fit(grouped, False, "absolute"),
}
json.dump(fits, open("fits.json", "w"), indent=1)
