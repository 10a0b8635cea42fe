"""Writes sampling.json, the fixture of sample_test.go: what gumbel/1 chooses, in double precision.

    python make_sampling.py

Nothing is shared with the program: the noise is written from its definition, and a nucleus is cut from a sorted
list. Choices are far enough from any other (MARGIN) for an engine in single precision to make the same ones.

Versions: numpy 2.4.6, Python 3.
"""

import hashlib
import json
import os

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
MARGIN = 1e-3  # between arrivals, and of the nucleus's sum from p
MASK = 2**64 - 1


def mix(x):
    """SplitMix64 (Steele, Lea & Flood 2014)."""
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def words(seed, prompt, step):
    x = mix(int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:8], "little"))
    x = mix(mix(x ^ seed) ^ step)
    return x & 0xFFFFFFFF, x >> 32


def mix32(x):
    """lowbias32 (Wellons 2018, https://nullprogram.com/blog/2018/07/31/)."""
    x = (x ^ x >> 16) * 0x7FEB352D & 0xFFFFFFFF
    x = (x ^ x >> 15) * 0x846CA68B & 0xFFFFFFFF
    return x ^ x >> 16


def bits(lo, hi, token):
    return mix32(mix32((token + lo) & 0xFFFFFFFF) ^ hi)


def exponential(b):
    v = min((np.float32(b) + np.float32(0.5)) * np.float32(2.0**-32), np.float32(1 - 2.0**-24))
    return -np.log1p(-np.float64(v))


def choose(logits, temperature, top_p, top_k, lo, hi):
    """The token, and how far the choice is from another one."""
    order = sorted(range(len(logits)), key=lambda t: (-logits[t], t))[:top_k or None]
    w = np.exp((np.array([logits[t] for t in order], np.float64) - logits[order[0]]) / temperature)
    far = np.inf
    if 0 < top_p < 1:
        share = np.cumsum(w) / w.sum()
        n = int(np.argmax(share >= top_p)) + 1
        far = np.abs(share - top_p).min()
        order, w = order[:n], w[:n]
    arrivals = np.array([exponential(bits(lo, hi, t)) for t in order]) / w
    first = np.argsort(arrivals)
    if len(order) > 1:
        far = min(far, arrivals[first[1]] / arrivals[first[0]] - 1)
    return order[first[0]], far


def main():
    rng = np.random.default_rng(1)
    noise = []
    for seed, prompt, step in [(0, "", 0), (1, "Describe the cat.", 0), (1, "Describe the cat.", 1), (2, "Describe the cat.", 1),
                               (2**64 - 1, "Où est le chat ?", 2**31 - 1), (42, "The old boat", 39)]:
        lo, hi = words(seed, prompt, step)
        tokens = [0, 1, 2, 49151, 255999, 2**31 - 1]
        noise.append({"seed": seed, "prompt": prompt, "step": step, "lo": lo, "hi": hi, "tokens": tokens,
                      "bits": [bits(lo, hi, t) for t in tokens], "exponential": [float(exponential(bits(lo, hi, t))) for t in tokens]})
    rows = []
    while len(rows) < 300:
        i = len(rows)
        logits = [float(x) for x in np.round(16 * rng.normal(0, rng.uniform(0.5, 4), int(rng.integers(2, 40)))) / 16]
        logits[-1] = logits[0]  # equal, so that ids decide
        row = {"seed": int(rng.integers(2**63)), "prompt": f"prompt {i % 7}", "step": int(rng.integers(200)), "logits": logits,
               "temperature": [1, 0.5, 0.8, 2][i % 4], "top_p": [0, 0.9, 0.5][i % 3], "top_k": [0, 0, 3, 1, 12][i % 5]}
        row["lo"], row["hi"] = words(row["seed"], row["prompt"], row["step"])
        row["token"], far = choose(logits, row["temperature"], row["top_p"], row["top_k"], row["lo"], row["hi"])
        if far > MARGIN:
            rows.append(row)
    lines = lambda of: ",\n".join("  " + json.dumps(x, ensure_ascii=False) for x in of)
    with open(os.path.join(HERE, "sampling.json"), "w", encoding="utf-8") as f:
        f.write(f'{{\n "sampler": "gumbel/1",\n "noise": [\n{lines(noise)}\n ],\n "rows": [\n{lines(rows)}\n ]\n}}\n')


if __name__ == "__main__":
    main()
