"""Times llama.cpp on what this program does: the other peer of BENCHMARKS.md.

    python llama.py --bench OURS.json MODEL.gguf

measures what `runpipeline bench -json` measured, as OURS.json tells it: loading, reading texts and continuing
one prompt, with the same shapes, temperature and top-p; as JSON. llama.cpp has no capture and no scoring that
end within it. Its prompt is read once and shared; nothing is added to its residuals, which would cost it next
to nothing. Needs llama-cpp-python.
"""

import argparse
import json
import os
import random
import statistics
import sys
import time

import llama_cpp as L

BATCH = 2048  # tokens of a pass at most


class Model:
    def __init__(self, path, threads):
        self.threads = threads
        params = L.llama_model_default_params()
        params.n_gpu_layers = 0
        self.model = L.llama_model_load_from_file(path.encode(), params)
        if not self.model:
            sys.exit(f"llama.cpp cannot load {path}")
        self.vocabulary = L.llama_vocab_n_tokens(L.llama_model_get_vocab(self.model))

    def close(self):
        L.llama_model_free(self.model)

    def context(self, texts, cells, unified):
        """A context of that many sequences. Their cells are common or each sequence's own."""
        params = L.llama_context_default_params()
        params.n_ctx, params.n_seq_max, params.kv_unified = cells, texts, unified
        params.n_batch, params.n_ubatch = BATCH, 512
        params.n_threads = params.n_threads_batch = self.threads
        context = L.llama_init_from_model(self.model, params)
        if not context:
            sys.exit(f"llama.cpp makes no context of {texts} texts and {cells} cells")
        return context


def put(batch, tokens):
    """Fills a batch with (token, position, texts, whether its logits are wanted)."""
    batch.n_tokens = len(tokens)
    for i, (token, position, texts, wanted) in enumerate(tokens):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, position, len(texts), wanted
        for k, text in enumerate(texts):
            batch.seq_id[i][k] = text


def decode(context, batch):
    if L.llama_decode(context, batch) != 0:
        sys.exit("llama.cpp cannot decode a batch")


def sampler(seed):
    """Temperature, then top-p over the whole vocabulary, then a draw, in the order of this program."""
    chain = L.llama_sampler_chain_init(L.llama_sampler_chain_default_params())
    for link in (L.llama_sampler_init_temp(0.8), L.llama_sampler_init_top_p(0.95, 1), L.llama_sampler_init_dist(seed)):
        L.llama_sampler_chain_add(chain, link)
    return chain


def prefill(model, texts, length, together):
    """Seconds for reading texts, so many in a pass, with the logits of each one's last token."""
    context = model.context(together, together * length, False)
    batch = L.llama_batch_init(BATCH, 0, 1)
    draw = random.Random(1)
    start = time.perf_counter()
    for first in range(0, texts, together):
        L.llama_memory_clear(L.llama_get_memory(context), False)
        some = range(min(together, texts - first))
        put(batch, [(draw.randrange(model.vocabulary), i, (t,), i == length - 1) for t in some for i in range(length)])
        decode(context, batch)
    seconds = time.perf_counter() - start
    L.llama_batch_free(batch)
    L.llama_free(context)
    return seconds


def steps(model, texts, prompt, new, unified):
    """Seconds for continuing a prompt that was read before, and the seconds of these that sampling took."""
    cells = prompt + texts * (new + 1) if unified else texts * (prompt + new)
    context = model.context(texts, cells, unified)
    batch = L.llama_batch_init(max(texts, prompt), 0, texts)
    everyone, draw = tuple(range(texts)), random.Random(1)
    begin = [draw.randrange(model.vocabulary) for _ in range(prompt)]
    put(batch, [(token, i, everyone if unified else (0,), False) for i, token in enumerate(begin[:-1])])
    decode(context, batch)
    for text in everyone[1:] if not unified else ():
        L.llama_memory_seq_cp(L.llama_get_memory(context), 0, text, -1, -1)
    chains, tokens, sampling = [sampler(t) for t in everyone], [begin[-1]] * texts, 0.0
    start = time.perf_counter()
    for position in range(prompt - 1, prompt - 1 + new):
        put(batch, [(tokens[t], position, (t,), True) for t in everyone])
        decode(context, batch)
        L.llama_synchronize(context)
        drawn = time.perf_counter()
        tokens = [L.llama_sampler_sample(chains[t], context, t) for t in everyone]
        sampling += time.perf_counter() - drawn
    seconds = time.perf_counter() - start
    for chain in chains:
        L.llama_sampler_free(chain)
    L.llama_batch_free(batch)
    L.llama_free(context)
    return seconds, sampling


def measured(seconds, work):
    row = {"name": work["name"], "seconds_min": min(seconds), "seconds_median": statistics.median(seconds)}
    if work.get("texts"):
        tokens = work["texts"] * work["tokens"]
        row.update(texts=work["texts"], tokens=work["tokens"], tokens_per_second=tokens / row["seconds_median"], tokens_per_second_best=tokens / row["seconds_min"])
    return row


def main():
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("--bench", metavar="OURS.json", required=True)
    a = p.parse_args()
    with open(a.bench) as f:
        ours = json.load(f)
    quiet = L.llama_log_callback(lambda *_: None)
    L.llama_log_set(quiet, None)
    L.llama_backend_init()
    threads = len(os.sched_getaffinity(0))
    model, rows, rounds = Model(a.model, threads), [], range(ours["repeat"])
    for work in ours["work"]:
        kind, texts, length = work["name"].split("/")[0], work.get("texts"), work.get("tokens")
        if kind == "load":
            took = []
            for _ in rounds:
                model.close()
                start = time.perf_counter()
                model = Model(a.model, threads)
                took.append(time.perf_counter() - start)
            rows.append(measured(took, work))
        elif kind == "prefill":
            sizes = sorted({min(n, texts) for n in (4, 16, 64) if n * length <= BATCH})
            best = min(sizes, key=lambda n: prefill(model, min(texts, 64), length, n))  # this warms up too
            rows.append({**measured([prefill(model, texts, length, best) for _ in rounds], work), "batch": best})
        elif kind == "decode":
            prompt = next(w["tokens"] for w in ours["work"] if w["name"] == "prefill")
            unified = min((True, False), key=lambda u: steps(model, texts, prompt, min(length, 4), u)[0])
            took = [steps(model, texts, prompt, length, unified) for _ in rounds]
            rows.append({**measured([t for t, _ in took], work), "unified": unified, "seconds_sampling": statistics.median(s for _, s in took)})
    json.dump({"model": ours["model"], "llama_cpp_python": L.__version__, "system": L.llama_print_system_info().decode(), "threads": threads, "work": rows}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
