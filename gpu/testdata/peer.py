"""Times transformers on what this program does: the peer of BENCHMARKS.md.

    python peer.py [MODEL.gguf]              what bench_test.go times; default: the embedded LLaMA-style model
    python peer.py --bench OURS.json [MODEL] what `runpipeline bench -json` measured, as OURS.json tells
                                             it: the same kinds of work, shapes and layer, as JSON; --bf16

The first prints tokens a second for steered sampling with a cache (90 rows, 28 tokens; pretrained: 30 rows,
20 tokens) and for capture (residuals after a middle block, 512 texts of 34 tokens).
"""

import argparse
import copy
import json
import os
import statistics
import sys
import time

import torch
import transformers
from transformers import AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))


def load(name, dtype=torch.float32):
    if name and name.endswith(".gguf"):
        folder, file = os.path.split(name)
        model = AutoModelForCausalLM.from_pretrained(folder or ".", gguf_file=file, dtype=dtype)
    else:
        model = AutoModelForCausalLM.from_pretrained(name or os.path.join(HERE, "..", "tiny", "llama"), dtype=dtype)
    return model.eval()


def steering(model, layer, vector):
    """Adds vector to the last token after a block."""

    def steer(_, __, out):
        h = out[0] if isinstance(out, tuple) else out
        h[:, -1] += vector

    return model.model.layers[layer].register_forward_hook(steer)


def sample(logits):
    """One token a row, at temperature .8 and top-p .95, without sorting the vocabulary: a draw from all tokens is
    drawn again if those that are likelier than it have more than .95 already."""
    p = torch.softmax(logits.float() / 0.8, -1)
    tokens, rows = torch.multinomial(p, 1), torch.arange(len(p))
    while len(rows):
        some = p if len(rows) == len(p) else p[rows]
        likelier = torch.where(some > some.gather(1, tokens[rows]), some, 0).sum(-1)
        rows = rows[likelier > 0.95]
        if len(rows):
            tokens[rows] = torch.multinomial(p[rows], 1)
    return tokens


@torch.no_grad()
def as_bench_test(name):
    model = load(name)
    rows, new = (30, 20) if name else (90, 28)
    layer = model.config.num_hidden_layers // 2
    vocab = model.config.vocab_size
    vector = torch.randn(model.config.hidden_size)

    best = 0.0
    for _ in range(3):
        handle = steering(model, layer, vector)
        x, cache, start = torch.randint(3, vocab, (rows, 9)), None, time.time()
        for _ in range(new):
            out = model(input_ids=x, past_key_values=cache, use_cache=True, logits_to_keep=1)
            cache = out.past_key_values
            x = sample(out.logits[:, -1])
        best = max(best, rows * new / (time.time() - start))
        handle.remove()
    print(f"generate {rows} rows x {new}: {best:.0f} tokens/s")

    best = 0.0
    for _ in range(3):
        start = time.time()
        for _ in range(4):
            model.model(input_ids=torch.randint(3, vocab, (128, 34)))
        best = max(best, 512 * 34 / (time.time() - start))
        if vocab > 10000:
            break
    print(f"capture 512 texts x 34, every block: {best:.0f} tokens/s")


class Bench:
    """The kinds of work of `runpipeline bench`. Each is a function that prepares one, and returns it."""

    def __init__(self, name, ours, dtype):
        self.name, self.ours, self.dtype = name, ours, dtype
        self.model = load(name, dtype)
        self.layer, self.vocab = ours["layer"], self.model.config.vocab_size
        self.early = copy.copy(self.model.model)  # the first blocks only, with the weights of the model
        self.early._modules = dict(self.model.model._modules)
        self.early.layers = torch.nn.ModuleList(self.model.model.layers[: self.layer + 1])
        self.early.norm = torch.nn.Identity()
        self.early.config = copy.copy(self.model.config)
        self.early.config.num_hidden_layers = self.layer + 1
        self.vector = torch.zeros(self.model.config.hidden_size, dtype=dtype)
        self.vector[0] = 1

    def texts(self, work):
        return torch.randint(0, self.vocab, (work["texts"], work["tokens"]))

    def load(self, _, __):
        return lambda: load(self.name, self.dtype)

    def capture(self, work, batch):
        x = self.texts(work)

        def run():
            for part in x.split(batch):
                self.early(input_ids=part, use_cache=False).last_hidden_state[:, -1].float()

        return run

    def prefill(self, work, batch):
        x = self.texts(work)

        def run():
            for part in x.split(batch):
                self.model(input_ids=part, use_cache=False, logits_to_keep=1)

        return run

    def score(self, work, batch):
        x, target = self.texts(work), self.texts(work)

        def run():
            for part, to in zip(x.split(batch), target.split(batch)):
                logits = self.model(input_ids=part, use_cache=False).logits.float()
                torch.nn.functional.cross_entropy(logits.flatten(0, 1), to.flatten(), reduction="none")

        return run

    def decode(self, work, _):
        prompt = torch.randint(0, self.vocab, (1, self.ours["work"][1]["tokens"]))
        cache = self.model(input_ids=prompt[:, :-1], use_cache=True, logits_to_keep=1).past_key_values
        cache.batch_repeat_interleave(work["texts"])  # the prompt is read once, and not timed

        def run():
            x = prompt[:, -1:].expand(work["texts"], 1)
            handle = steering(self.model, self.layer, self.vector)
            for _ in range(work["tokens"]):
                x = sample(self.model(input_ids=x, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[:, -1])
            handle.remove()

        return run


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


@torch.inference_mode()
def as_bench(name, path, dtype):
    with open(path) as f:
        ours = json.load(f)
    b = Bench(name, ours, dtype)
    out = []
    for work in ours["work"]:
        kind = work["name"].split("/")[0]
        prepare = getattr(b, kind)
        batch = 0
        if kind in ("capture", "prefill", "score"):  # at the size of batches at which it is fastest; this warms up too
            sizes = sorted({min(n, work["texts"]) for n in (4, 16, work["texts"])})
            batch = min(sizes, key=lambda n: seconds(prepare(work, n)))
        elif kind == "decode":
            seconds(prepare({**work, "tokens": 2}, 0))
        took = [seconds(prepare(work, batch)) for _ in range(ours["repeat"])]
        row = {"name": work["name"], "seconds_min": min(took), "seconds_median": statistics.median(took)}
        if work.get("texts"):
            tokens = work["texts"] * work["tokens"]
            row.update(texts=work["texts"], tokens=work["tokens"], tokens_per_second=tokens / row["seconds_median"])
            row.update(tokens_per_second_best=tokens / row["seconds_min"])
        if batch:
            row["batch"] = batch
        out.append(row)
    json.dump({"model": ours["model"], "dtype": str(dtype), "torch": torch.__version__, "transformers": transformers.__version__,
               "threads": torch.get_num_threads(), "layer": ours["layer"], "work": out}, sys.stdout, indent=1)
    print()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("model", nargs="?", help="a .gguf file or a folder")
    p.add_argument("--bench", metavar="OURS.json")
    p.add_argument("--bf16", action="store_true")
    a = p.parse_args()
    torch.manual_seed(1)
    if a.bench:
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        as_bench(a.model, a.bench, torch.bfloat16 if a.bf16 else torch.float32)
    else:
        torch.set_num_threads(2)
        as_bench_test(a.model)


if __name__ == "__main__":
    main()
