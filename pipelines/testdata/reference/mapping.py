"""The map from the source's residuals to the target's, and the vectors that each condition steers with."""
import numpy as np
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from draws import Stream, recipe
from models import difference

SHARD, PERMUTATIONS, DRAWS, MASSIVE = 500, 20, 20, 5
SPLITS, RELABELLINGS = 100, 200  # of a persona's texts


def penalty(relative, x):
    """A relative lambda is a multiple of tr(XᵀX)/d, X centred."""
    return relative * np.square(x - x.mean(axis=0)).sum() / x.shape[1]


def ridge(x, y, relative):
    """argmin ‖(Y − mean Y) − (X − mean X)W‖² + λ‖W‖². coef_.T is W [d, e]."""
    return Ridge(alpha=penalty(relative, x), fit_intercept=True, solver="cholesky").fit(x, y)


def degrees_of_freedom(x, relative):
    """Σ s/(s+λ) over the eigenvalues s of XᵀX."""
    s = np.linalg.svd(x - x.mean(axis=0), compute_uv=False) ** 2
    return (s / (s + penalty(relative, x))).sum()


def r2(y, predicted):
    each = r2_score(y, predicted, multioutput="raw_values")
    return {"r2": r2_score(y, predicted, multioutput="variance_weighted"), "r2_standardised": each.mean(), "r2_median": np.median(each)}


def cross_validate(x, y, fold, folds, lambdas):
    """R² of each lambda on the documents of one fold, fitted on those of the others: means over folds."""
    scores = []
    for l in lambdas:
        parts, sse, sst = [], 0.0, 0.0
        for k in range(folds):
            held = fold == k
            predicted = ridge(x[~held], y[~held], l).predict(x[held])
            sse += np.square(y[held] - predicted).sum()
            sst += np.square(y[held] - y[held].mean(axis=0)).sum()
            parts.append({**r2(y[held], predicted), "absolute": penalty(l, x[~held])})
        mean = {name: float(np.mean([p[name] for p in parts])) for name in parts[0]}
        error = np.std([p["r2"] for p in parts], ddof=1) / np.sqrt(folds)
        scores.append({"lambda": l, **mean, "degrees_of_freedom": degrees_of_freedom(x, l), "standard_error": error, "r2_pooled": 1 - sse / sst, "mean_squared_error": sse / y.size})
    return scores


def choose(scores):
    """The lambda with the best R², and the largest one within a standard error of it."""
    best = max(scores, key=lambda s: s["r2"])
    simple = max(s["lambda"] for s in scores if s["lambda"] >= best["lambda"] and s["r2"] >= best["r2"] - best["standard_error"])
    return best["lambda"], simple


def learning_curve(x, y, fold, folds, relative):
    """Maps of folds 1 to k for k = 1, 2, 4, … and all but fold 0, scored on fold 0."""
    held, curve = fold == 0, []
    for last in sorted({2 ** i for i in range(20) if 2 ** i < folds - 1} | {folds - 1}):
        train = (fold >= 1) & (fold <= last)
        curve.append({"n": int(train.sum()), **r2(y[held], ridge(x[train], y[train], relative).predict(x[held]))})
    return curve


def shuffled_targets(y, seed, j):
    """The target's rows in an order drawn within each shard."""
    out = y.copy()
    for shard, start in enumerate(range(0, len(y), SHARD)):
        n = len(y[start:start + SHARD])
        order = Stream(recipe("shuffled pairs", seed=seed, shard=shard, permutation=j)).shuffled(range(n))
        out[start:start + n] = y[start:start + n][order]
    return out


def carriers(d, e, x, y, unlike, relative):
    """How conditions carry a persona's own vector in one way: v is the source's, native the target's; unlike are the
    rows whose texts do not resemble the persona."""
    w, held_out, own = (ridge(a, b, relative).coef_.T for a, b in ((x, y), (x[unlike], y[unlike]), (y, y)))
    return {
        "zero_pad": lambda v, native: np.pad(v, (0, max(0, e - d)))[:e],
        "interpolation": lambda v, native: np.interp(np.linspace(0, d - 1, e), np.arange(d), v),
        # Only the matrix: a difference of residuals has no offset.
        "ridge": lambda v, native: v @ w,
        "ridge_held_out": lambda v, native: v @ held_out,
        "self": lambda v, native: native @ own,
    }


def drawn(what, seed, persona, k):
    return Stream(recipe(what + " draw", seed=seed, persona=persona, draw=k))


def condition_vectors(persona, v, native, carry, x, y, relative, seed):
    """For each condition the vectors of one persona, one a draw."""
    d, e = len(v), len(native)
    draw = lambda what, k: drawn(what, seed, persona, k)
    centred = y - y.mean(axis=0)
    one = lambda condition: [carry[condition](v, native)]
    return {
        "zero_pad": one("zero_pad"),
        "interpolation": one("interpolation"),
        # Entries of variance 1/e, drawn row by row: E‖vP‖² = ‖v‖².
        "random_projection": [v @ draw("random_projection", k).normals(d * e).reshape(d, e) / np.sqrt(e) for k in range(DRAWS)],
        "ridge": one("ridge"),
        "ridge_held_out": one("ridge_held_out"),
        "oracle": [native],
        # Σ gᵢ(hᵢ − mean h)/√n has the covariance of the target's residuals.
        "random_direction": [draw("random_direction", k).normals(len(y)) @ centred / np.sqrt(len(y)) for k in range(DRAWS)],
        "shuffled_pairs": [v @ ridge(x, shuffled_targets(y, seed, j), relative).coef_.T for j in range(PERMUTATIONS)],
        "self": one("self"),
    }


def reliability(persona, texts, seed):
    """The mean cosine of the vectors of two halves of the texts, and what two wholes would have (Spearman and Brown)."""
    labels, sums, counts = texts
    cosines = []
    for k in range(SPLITS):
        first = np.zeros(len(labels), bool)
        for side, name in ((labels, "positive"), (~labels, "negative")):
            own = np.flatnonzero(side & (counts > 0))
            order = drawn("split_half." + name, seed, persona, k).shuffled(range(len(own)))
            first[own[order[:len(own) // 2]]] = True
        cosines.append(cosine(*(difference(labels[h], sums[h], counts[h]) for h in (first, ~first))))
    half = np.mean(cosines)
    return [half, max(0, 2 * half / (1 + half))]


def floors(persona, source, target, carry, seed, largest):
    """What the cosine of each condition's vector with the target's own comes to if labels are permuted, the same in
    both models: mean, 5 % and 95 %, with and without the dimensions of largest variance."""
    both = (source[2] > 0) & (target[2] > 0)
    labels = source[0][both]
    cosines = {c: [] for c in carry}
    for k in range(RELABELLINGS):
        order = drawn("permuted_labels", seed, persona, k).shuffled(range(len(labels)))
        permuted = np.zeros(len(labels), bool)
        permuted[order[:labels.sum()]] = True
        v, native = (difference(permuted, sums[both], counts[both]) for _, sums, counts in (source, target))
        for c, of in carry.items():
            cosines[c].append([cosine(of(v, native), native), cosine(of(v, native), native, largest)])
    return {c: [[np.mean(a), *np.quantile(a, (.05, .95))] for a in np.transpose(of)] for c, of in cosines.items()}


def scales(v, x, y):
    """What alpha 1 is, as a length at the target's layer."""
    residual = np.linalg.norm(y, axis=1).mean()
    return {
        "residual": residual,
        "spread": np.linalg.norm(y - y.mean(axis=0), axis=1).mean(),
        # The source vector's own share of its model's residual.
        "native": residual * np.linalg.norm(v) / np.linalg.norm(x, axis=1).mean(),
    }


def draw_of(n, prompt, seed, seeds):
    """Which of n draws serves a text: the texts of all prompts and seeds take them in turn."""
    return (prompt * seeds + seed) % n


def cosine(a, b, without=()):
    a, b = np.delete(a, without), np.delete(b, without)
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def largest_variance(y):
    return [int(i) for i in np.argsort(-y.var(axis=0), kind="stable")[:MASSIVE]]
