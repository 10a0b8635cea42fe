"""The whole small experiment with transformers and PyTorch, as this program does it: the peer of BENCHMARKS.md.

    python experiment.py convert FOLDER          saves the configuration's two models as transformers wants them
    python experiment.py run FOLDER RESULT.json  the experiment, with the seconds of each part

Everything comes from experiment.json beside this file, which the program runs as well: the same texts in the
same order, both models in float32, activations after one block with nothing computed behind it, ridge by
cross-validated folds, persona vectors by difference of means, all texts sampled with a cache in one batch whose
prompts are read once, and the perplexity of each under the unsteered target. Converting is not part of it, so
that no time goes into reading a GGUF file.
"""

import copy
import hashlib
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = Path(__file__).parent
WORDNET = HERE.parents[1] / "data" / "wordnet-examples.txt"
READ, SCORED = 32, 16  # texts of a batch: measured to be fastest on two cores


def drawn(texts, seed):
    """The texts in the program's order: by a digest of seed, text and how often it came before."""
    keys, times = [], {}
    for text in texts:
        times[text] = times.get(text, -1) + 1
        fields = {"kind": "calibration text", "version": 1, "seed": seed, "document": "", "text": text, "time": times[text]}
        recipe = "".join(f"{k} {len(str(v).encode())}:{v}\n" for k, v in fields.items())
        keys.append(hashlib.sha256(recipe.encode()).digest())
    return [texts[i] for i in sorted(range(len(texts)), key=keys.__getitem__)]


class Model:
    def __init__(self, folder, layer):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.layer = layer
        self.early = copy.copy(self.model.model)  # the first blocks only, with the weights of the model
        self.early._modules = dict(self.model.model._modules)
        self.early.layers = self.model.model.layers[: layer + 1]
        self.early.norm = torch.nn.Identity()
        self.early.config = copy.copy(self.model.config)
        self.early.config.num_hidden_layers = layer + 1

    def tokens(self, texts):
        return self.tokenizer(list(texts))["input_ids"]

    def batches(self, rows, size):
        """Indices of rows in batches of about one length, padded on the right, with their tokens and mask."""
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        for first in range(0, len(order), size):
            some = order[first : first + size]
            yield some, *padded([rows[i] for i in some])

    def capture(self, texts):
        """The residual after the block at the last token of each text."""
        rows = self.tokens(texts)
        out = np.zeros((len(rows), self.model.config.hidden_size))
        for some, x, mask in self.batches(rows, READ):
            h = self.early(input_ids=x, attention_mask=mask, use_cache=False).last_hidden_state
            out[some] = h[torch.arange(len(some)), mask.sum(-1) - 1].numpy()
        return out

    def generate(self, prompts, pushes, config):
        """Continuations [rows, new tokens] of each prompt, one for each of its pushes [prompts, n, hidden]."""
        rows, n = self.tokens(prompts), pushes.shape[1]
        x, mask = padded(rows, left=True)
        position = (mask.cumsum(-1) - 1).clamp(min=0)
        cache = self.model(input_ids=x[:, :-1], attention_mask=mask[:, :-1], position_ids=position[:, :-1], use_cache=True, logits_to_keep=1).past_key_values
        cache.batch_repeat_interleave(n)
        x, mask, position = (t.repeat_interleave(n, 0) for t in (x[:, -1:], mask, position[:, -1:]))
        push, out = pushes.flatten(0, 1), []

        def steer(_, __, h):
            (h[0] if isinstance(h, tuple) else h)[:, -1] += push

        hook = self.model.model.layers[self.layer].register_forward_hook(steer)
        for _ in range(config["max_new_tokens"]):
            logits = self.model(input_ids=x, attention_mask=mask, position_ids=position, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[:, -1]
            x = sample(logits, config)
            out.append(x)
            mask, position = torch.cat([mask, torch.ones_like(x)], 1), position + 1
        hook.remove()
        return torch.cat(out, 1)

    def nll(self, prompts, continuations):
        """Nats a token of each continuation of its prompt."""
        begin = self.tokens(prompts)
        rows = [p + c for p, c in zip(begin, continuations.tolist())]
        new = continuations.shape[1]
        out = np.zeros(len(rows))
        for some, x, mask in self.batches(rows, SCORED):
            h = self.model.model(input_ids=x, attention_mask=mask, use_cache=False).last_hidden_state
            at = (mask.sum(-1) - new - 1)[:, None] + torch.arange(new)
            logits = self.model.lm_head(h.gather(1, at[..., None].expand(-1, -1, h.shape[-1])))
            losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), continuations[some].flatten(), reduction="none")
            out[some] = losses.view(len(some), new).mean(-1).numpy()
        return out


def padded(rows, left=False):
    width = max(map(len, rows))
    x, mask = torch.zeros((2, len(rows), width), dtype=torch.long)
    for i, row in enumerate(rows):
        place = slice(width - len(row), width) if left else slice(len(row))
        x[i, place], mask[i, place] = torch.tensor(row), 1
    return x, mask


def sample(logits, config):
    """One token a row: temperature, the likeliest top_k, of these the likeliest with top_p of the probability."""
    top, index = (logits / config["temperature"]).topk(config["top_k"])
    p = torch.softmax(top, -1)
    p[p.cumsum(-1) - p > config["top_p"]] = 0
    return index.gather(1, torch.multinomial(p, 1))


def ridge(x, y, relative):
    """The map and the means of a ridge whose penalty is relative to tr(XᵀX)/d."""
    mx, my = x.mean(0), y.mean(0)
    gram = (x - mx).T @ (x - mx)
    gram[np.diag_indices_from(gram)] += relative * np.trace(gram) / len(gram)
    return np.linalg.solve(gram, (x - mx).T @ (y - my)), mx, my


def held_out(x, y, relative, folds):
    """R² over all dimensions, each row predicted by a map of the other folds."""
    fold, errors, total = np.arange(len(x)) % folds, 0.0, 0.0
    for k in range(folds):
        w, mx, my = ridge(x[fold != k], y[fold != k], relative)
        test = y[fold == k]
        errors += np.square(test - my - (x[fold == k] - mx) @ w).sum()
        total += np.square(test - test.mean(0)).sum()
    return 1 - errors / total


@torch.inference_mode()
def run(config, folder):
    seconds = {}

    def part(name, f):
        start = time.perf_counter()
        out = f()
        seconds[name] = time.perf_counter() - start
        return out

    source, target = part("load", lambda: [Model(folder / side, config[f"{side}_layer_idx"]) for side in ("source", "target")])
    texts = drawn(WORDNET.read_text().splitlines(), config["seed"])[: config["n_training_samples"]]
    personas = {name: (p["positive_texts"][::2], p["negative_texts"][::2]) for name, p in sorted(read(config["persona_datasets"]).items())}
    prompts = read(config["test_prompts"])[: config["n_test_prompts"]]
    lam = config["lambda_values"][0]

    x, y = part("capture", lambda: (source.capture(texts), target.capture(texts)))
    r2 = part("fit", lambda: held_out(x, y, lam, config.get("folds", 5)))
    w = part("fit_all", lambda: ridge(x, y, lam)[0])
    seconds["fit"] += seconds.pop("fit_all")
    contrast = lambda m, p: m.capture(p[0]).mean(0) - m.capture(p[1]).mean(0)
    vectors = part("personas", lambda: {n: (contrast(source, p) @ w, contrast(target, p)) for n, p in personas.items()})
    cosines = {n: float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) for n, (a, b) in vectors.items()}

    spread = np.linalg.norm(y - y.mean(0), axis=1).mean()
    settings = [("none", 0.0)] + [(n, a) for n in vectors for a in config["alpha_values"]]
    push = [np.zeros_like(y[0]) if a == 0 else a * spread * vectors[n][0] / np.linalg.norm(vectors[n][0]) for n, a in settings]
    pushes = torch.tensor(np.array(push), dtype=torch.float32).repeat_interleave(config["n_seeds"], 0).expand(len(prompts), -1, -1)
    written = part("generate", lambda: target.generate(prompts, pushes, config))
    nll = part("score", lambda: target.nll([p for p in prompts for _ in range(pushes.shape[1])], written))

    by = nll.reshape(len(prompts), len(settings), config["n_seeds"]).mean((0, 2))
    return {"pairs": len(x), "texts": len(written), "r2_held_out": float(r2), "cosines": cosines, "spread": float(spread),
            "nll": [{"persona": n, "alpha": a, "nats": float(v)} for (n, a), v in zip(settings, by)], "seconds": seconds}


def read(name):
    return json.loads((HERE / name).read_text())


def main():
    command, folder = sys.argv[1], Path(sys.argv[2])
    config = read("experiment.json")
    torch.manual_seed(config["seed"])
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    if command == "convert":
        for side in ("source", "target"):
            path = HERE / config[f"{side}_model"]
            AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name).save_pretrained(folder / side)
            model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
            model.hf_quantizer = None  # its weights are no longer quantised
            del model.config.quantization_config
            model.save_pretrained(folder / side)
    else:
        Path(sys.argv[3]).write_text(json.dumps(run(config, folder), indent=1) + "\n")


if __name__ == "__main__":
    main()
