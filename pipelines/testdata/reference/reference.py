"""The whole experiment on the embedded pair, without the program: writes fixture.json and fixture.safetensors.

    pip install -r requirements.txt && python reference.py

The inputs are config.json, calibration.jsonl and the two models; the method is written out in draws.py,
models.py, mapping.py, scores.py and evaluation.py, one function a stage. README.md says more.
"""
import json
import platform
import sys
from pathlib import Path

import numpy as np
import safetensors.numpy
import scipy
import sklearn
import tokenizers
import torch
import transformers

sys.dont_write_bytecode = True
import evaluation
import mapping
import scores
from draws import Stream, recipe
from models import Model, difference, persona_sums, positions

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
STORED_ROWS = 40  # every 40th residual is in the fixture, and the mean of all
MARGIN = 0.5  # of non-inferiority, if the configuration names none
ANCHORS = 120  # unsteered texts that set the zero of the scores
# Margins of greedy choices below this could come out otherwise in another order of float32 sums.
LEAST_MARGIN = 2e-4


def draw_pairs(config, texts, models):
    """Texts in drawn order, and their word ends, until there are enough pairs. Folds are of whole documents,
    numbered in drawn order."""
    times, keys = {}, []
    for text in texts:  # each text's own draw; one that comes again has another each time
        same = text.get("document", ""), text["text"]
        times[same] = times.get(same, -1) + 1
        keys.append(recipe("calibration text", seed=config["seed"], document=same[0], text=same[1], time=times[same]))
    order = sorted(range(len(texts)), key=keys.__getitem__)
    documents, pairs, total = {}, [], 0
    for place, i in enumerate(order):
        if total == config["n_training_samples"]:
            break
        text = texts[i]
        number = documents.setdefault(text.get("document", place), len(documents))
        ends = positions(text["text"], models)[:config["n_training_samples"] - total]
        pairs.append({"text": i, "ends": ends, "fold": number % config["folds"]})
        total += len(ends)
    assert total == config["n_training_samples"]
    return pairs


def opening(text):
    """The first half of a text's words."""
    words = text.split()
    return " ".join(words[:(len(words) + 1) // 2])


def anchor_prompts(texts):
    """Openings of calibration texts, the last text first, without repetition; each with enough seeds for ANCHORS."""
    prompts = list(dict.fromkeys(opening(t["text"]) for t in reversed(texts)))[:ANCHORS]
    return prompts, -(-ANCHORS // len(prompts))


def calibration(config, texts, pairs, lexicon):
    """For each persona: how much of the calibration resembles it, and which rows do not."""
    used = [p for p in pairs if p["ends"]]
    ends = [len(p["ends"]) for p in used]
    reports, unlike = {}, {}
    for persona, of in sorted(config["persona_datasets"].items()):
        sides = of["positive_texts"][1::2], of["negative_texts"][1::2]
        scorer, held = scores.Scorer(lexicon, *sides), scores.held_out(lexicon, *sides)
        alike, threshold = scores.resembles(scorer, held, [texts[p["text"]]["text"] for p in used])
        rows = np.repeat(alike, ends)
        reports[persona] = {"texts": len(used), "resembling": int(alike.sum()), "pairs": len(rows), "pairs_resembling": int(rows.sum()),
                            "share": alike.mean(), "threshold_logit": threshold}
        unlike[persona] = ~rows
    return reports, unlike


def shuffled_nll(target, prompt, text):
    """The likelihood of a text with its words in an order that is drawn for it."""
    words = Stream(recipe("shuffled words", 2, text=text)).shuffled(text.split())
    return target.nll(prompt, target.tokenizer.encode(" " + " ".join(words), add_special_tokens=False) if words else [])


def generate(config, target, vectors, scale):
    """Every text of the experiment, greedy: seeds differ only in the draw of a random vector, if there are several."""
    rows = {}

    def write(condition, persona, alpha, prefix="", of=(None,)):
        for i, prompt in enumerate(config["test_prompts"]):
            for seed in range(config["n_seeds"]):
                draw = mapping.draw_of(len(of), i, seed, config["n_seeds"])
                key = (condition, persona, alpha, i, draw)
                if key in rows:
                    rows[key]["seeds"].append(seed)
                    continue
                push, dose = None, 0.0
                if alpha != 0:
                    dose = alpha * scale[persona][config["alpha_unit"]]  # the same length for every condition
                    push = dose * of[draw] / np.linalg.norm(of[draw])
                # A prefix asks for the persona; the test prompt alone is what likelihoods continue.
                tokens, ended = target.continue_(prefix + prompt, config["max_new_tokens"], push)
                rows[key] = {"condition": condition, "persona": persona, "alpha": alpha, "prompt": i, "draw": draw, "seeds": [seed],
                             "dose": dose, "tokens": tokens, "ended": ended, "text": target.added_text(prefix + prompt, tokens),
                             "nll": target.nll(prompt, tokens)}
                rows[key]["shuffled_nll"] = shuffled_nll(target, prompt, rows[key]["text"])
    write("none", "", 0.0)
    for persona in sorted(config["persona_datasets"]):
        write("prompt", persona, 0.0, prefix=config["persona_datasets"][persona]["prompt"] + " ")
        for condition, of in vectors[persona].items():
            for alpha in config["alpha_values"]:
                write(condition, persona, alpha, of=of)
    return list(rows.values())


def read_anchors(config, texts, target):
    """Unsteered continuations of the anchor prompts."""
    prompts, seeds = anchor_prompts(texts)
    rows = []
    for prompt in prompts:
        tokens, ended = target.continue_(prompt, config["max_new_tokens"])
        row = {"prompt": prompt, "tokens": tokens, "ended": ended, "text": target.added_text(prompt, tokens), "nll": target.nll(prompt, tokens)}
        rows += [row | {"shuffled_nll": shuffled_nll(target, prompt, row["text"])} for _ in range(seeds)]
    return rows


def score(config, rows, anchors, lexicon):
    """Adds flags, coherence and, by persona, trait to every row. Returns the anchors of the scores."""
    zero = {"nll_median": np.nanmedian([a["nll"] for a in anchors]), "order_median": np.nanmedian([a["shuffled_nll"] - a["nll"] for a in anchors]),
            "end_share": np.mean([a["ended"] for a in anchors]), "unsteered_logit": {}, "positive_logit": {}, "auroc": {}, "separation": {}}
    for row in rows:
        order = row["shuffled_nll"] - row["nll"]
        row["collapse"] = scores.collapse(row["tokens"], config["test_prompts"][row["prompt"]], row["text"], order, zero["order_median"], row["ended"], zero["end_share"])
        row["coherence"] = scores.coherence(row["nll"], order, zero["nll_median"], zero["order_median"], bool(row["collapse"]))
        row["logit"], row["trait"] = {}, {}
    for persona, texts in sorted(config["persona_datasets"].items()):
        sides = texts["positive_texts"][1::2], texts["negative_texts"][1::2]
        scorer, held = scores.Scorer(lexicon, *sides), scores.held_out(lexicon, *sides)
        unlike = lambda row: held["guard"].unlike(scorer.portrait(row["text"]))
        unsteered = scorer.logits([a["text"] for a in anchors if not unlike(a)])
        zero["auroc"][persona], zero["separation"][persona] = held["auroc"], scores.separation(held["positive"], unsteered)
        zero["unsteered_logit"][persona], zero["positive_logit"][persona] = unsteered.mean(), held["positive"].mean()
        own = [r for r in rows if r["persona"] in ("", persona)]
        for row, logit in zip(own, scorer.logits([r["text"] for r in own])):
            row["logit"][persona] = logit
            row["trait"][persona] = np.nan if unlike(row) else scores.trait(logit, zero["unsteered_logit"][persona], zero["positive_logit"][persona])
    return zero


def probed(config, rows, anchors, source):
    """For each persona: what a probe of the source reads in the anchors, in held-out texts and in every row, which it
    does for each text by itself."""
    means = {}

    def mean(text):
        if text not in means:
            means[text] = source.mean_residual(text)
        return means[text]
    out = {}
    for persona, texts in sorted(config["persona_datasets"].items()):
        sides = [np.stack([mean(t) for t in texts[side][1::2]]) for side in ("positive_texts", "negative_texts")]
        model, held = scores.probe(*sides), scores.probe_held_out(*sides)
        logit = lambda text: np.nan if mean(text) is None else model.decision_function([mean(text)])[0]
        unsteered = np.array([logit(a["text"]) for a in anchors])
        unsteered = unsteered[~np.isnan(unsteered)]
        low, high = unsteered.mean(), held[0].mean()
        out[persona] = {"unsteered_logit": low, "positive_logit": high, "separation": scores.separation(held[0], unsteered), "weight": np.linalg.norm(model[-1].coef_),
                        "traits": [scores.trait(logit(r["text"]), low, high) if r["persona"] in ("", persona) else np.nan for r in rows]}
    return out


def judged(rows):
    """One entry a text and persona: unsteered texts are judged as texts of every persona."""
    return [{**row, "persona": persona, "seed": seed, "trait": trait} for row in rows for seed in row["seeds"] for persona, trait in row["trait"].items()]


def main():
    torch.set_num_threads(1)
    config = json.loads((HERE / "config.json").read_text(encoding="utf-8"))
    texts = [json.loads(line) for line in (HERE / config["calibration_texts"]).read_text(encoding="utf-8").splitlines()]
    source = Model(ROOT / "gpu/tiny/qwen2", config["source_layer_idx"])
    target = Model(ROOT / "gpu/tiny/llama", config["target_layer_idx"])
    seed, personas = config["seed"], sorted(config["persona_datasets"])

    pairs = draw_pairs(config, texts, (source, target))
    x, y = (np.concatenate([m.residuals(texts[p["text"]]["text"], p["ends"]) for p in pairs if p["ends"]]) for m in (source, target))
    fold = np.repeat([p["fold"] for p in pairs], [len(p["ends"]) for p in pairs])

    cv = mapping.cross_validate(x, y, fold, config["folds"], config["lambda_values"])
    best, simple = mapping.choose(cv)
    w = mapping.ridge(x, y, best).coef_.T

    lexicon = scores.Lexicon(ROOT / "transforms/trial/vader/lexicon.txt.gz")
    resemblance, unlike = calibration(config, texts, pairs, lexicon)

    largest = mapping.largest_variance(y)
    native, carried, vectors, scale, reliability, floors = {}, {}, {}, {}, {}, {}
    for p in personas:
        sides = config["persona_datasets"][p]["positive_texts"], config["persona_datasets"][p]["negative_texts"]
        sums = persona_sums(source, target, *sides), persona_sums(target, source, *sides)
        carried[p], native[p] = (difference(*of) for of in sums)
        carry = mapping.carriers(len(carried[p]), len(native[p]), x, y, unlike[p], best)
        vectors[p] = mapping.condition_vectors(p, carried[p], native[p], carry, x, y, best, seed)
        scale[p] = mapping.scales(carried[p], x, y)
        reliability[p] = [mapping.reliability(p, of, seed) for of in sums]
        floors[p] = mapping.floors(p, *sums, carry, seed, largest)

    rows = generate(config, target, vectors, scale)
    anchors = read_anchors(config, texts, target)
    print("least margin", target.margin, "of", sum(len(r["tokens"]) for r in rows), "tokens")
    zero = score(config, rows, anchors, lexicon)

    probe = probed(config, rows, anchors, source)

    prompts, primary = len(config["test_prompts"]), {"margin": MARGIN, **config["primary"]}
    d_primes = {p: s["d_prime"][0] for p, s in zero["separation"].items()}
    pooled, each = evaluation.evaluate(judged(rows), personas, prompts, primary, zero["auroc"], d_primes)
    assert target.margin > LEAST_MARGIN, f"a greedy choice hangs on {target.margin}: change a prompt or an alpha"

    write({
        "versions": {"python": platform.python_version(), **{m.__name__: m.__version__ for m in (np, scipy, sklearn, torch, transformers, tokenizers)}},
        "least_margin": target.margin,
        "pairs": pairs, "calibration": resemblance,
        "cross_validation": cv, "lambda": best, "one_standard_error": simple, "lambda_absolute": mapping.penalty(best, x),
        "degrees_of_freedom": mapping.degrees_of_freedom(x, best), "learning_curve": mapping.learning_curve(x, y, fold, config["folds"], best),
        "spectrum": np.linalg.svd(w, compute_uv=False)[:32], "largest_variance": largest, "scales": scale,
        "cosines": {p: {c: [[mapping.cosine(v, native[p]), mapping.cosine(v, native[p], largest)] for v in vs] for c, vs in vectors[p].items()} for p in personas},
        "reliability": reliability, "floors": floors,
        "anchors": anchors, "rows": rows, "zero": zero, "probe": probe,
        "pooled": pooled, "personas": each,
    }, {
        "source.residual": x[::STORED_ROWS], "target.residual": y[::STORED_ROWS], "source.mean": x.mean(axis=0), "target.mean": y.mean(axis=0),
        "map": w, **{f"held_out.{p}": mapping.ridge(x[unlike[p]], y[unlike[p]], best).coef_.T for p in personas},
        **{f"persona.source.{p}": carried[p] for p in personas}, **{f"persona.target.{p}": native[p] for p in personas},
        **{f"{c}.{p}": np.stack(vs) for p in personas for c, vs in vectors[p].items()},
    })


def plain(v):
    """What json writes: numbers with nine digits, nothing for what is missing."""
    if isinstance(v, dict):
        return {k: plain(x) for k, x in v.items()}
    if isinstance(v, (list, tuple, np.ndarray)):
        return [plain(x) for x in v]
    if isinstance(v, (float, np.floating)):
        return None if np.isnan(v) else float(f"{v:.9g}")
    return v.item() if isinstance(v, np.generic) else v


def write(numbers, tensors):
    safetensors.numpy.save_file({k: np.ascontiguousarray(v, np.float32) for k, v in tensors.items()}, HERE / "fixture.safetensors")
    lines = [f" {json.dumps(k)}: {json.dumps(plain(v), ensure_ascii=False, separators=(',', ':'))}" for k, v in numbers.items()]
    (HERE / "fixture.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
