"""Times transformers on what `runpipeline bench -json` measured on a device: the peer of scripts/bench-device.sh.

    python bench-device-peer.py OURS.json FOLDER [OURS.json FOLDER …]

Written for transformers 5.17 with torch 2.11, and tried with transformers 5.24 and torch 2.15 on a processor. A FOLDER
is read for its shape alone; weights are drawn in bfloat16 where they are used. Attention is sdpa. Of each kind of work:

    capture/N   a hook stops the forward pass after the block and reads the last token
    score/N     all logits and their cross entropy
    decode/N    `generate` with top-p 0.95, a hook adds a vector after the block; it reads the prompts each time, which ours
                has from the call before: one pass of as many as there are new tokens. And, on a card, a CUDA graph of one
                greedy step with a static cache of 128 slots, replayed: no sampling, no work on the host

Each is called once to warm up; the median of the repetitions of OURS counts.
"""

import json
import os
import statistics
import sys
import time
import warnings

warnings.filterwarnings("ignore")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, StaticCache

CUDA = torch.cuda.is_available()
DEVICE = "cuda" if CUDA else "cpu"
STEPS = 8  # of the graph, in each repetition


class Stop(Exception):
    pass


def wait():
    if CUDA:
        torch.cuda.synchronize()


class Peer:
    def __init__(self, ours, folder):
        self.ours, self.config = ours, AutoConfig.from_pretrained(folder)
        torch.manual_seed(0)
        torch.set_default_dtype(torch.bfloat16)
        with torch.device(DEVICE):
            self.model = AutoModelForCausalLM.from_config(self.config, attn_implementation="sdpa").eval()
        self.model.generation_config.eos_token_id = None
        self.block = self.model.model.layers[ours["layer"]]
        self.seen = None

    def texts(self, n, tokens):
        return torch.randint(0, self.config.vocab_size, (n, tokens), device=DEVICE)

    def timed(self, f, calls=1):
        f()
        wait()
        took = []
        for _ in range(self.ours["repeat"]):
            begun = time.perf_counter()
            for _ in range(calls):
                f()
            wait()
            took.append((time.perf_counter() - begun) / calls)
        return statistics.median(took)

    def capture(self, work):
        x = self.texts(work["texts"], work["tokens"])

        def stop(_, __, out):
            self.seen = (out[0] if isinstance(out, tuple) else out)[:, -1].float().cpu()
            raise Stop

        def run():
            try:
                self.model.model(x, use_cache=False)
            except Stop:
                pass

        handle = self.block.register_forward_hook(stop)
        yield "", self.timed(run)
        handle.remove()

    def score(self, work):
        x, to = self.texts(work["texts"], work["tokens"]), self.texts(work["texts"], work["tokens"])

        def run():
            for part, target in zip(x.split(32), to.split(32)):
                logits = self.model(part, use_cache=False).logits.float()
                self.seen = torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none").cpu()

        yield "", self.timed(run)

    def decode(self, work):
        n, new = work["texts"], work["tokens"]
        vector = torch.randn(n, 1, self.config.hidden_size, device=DEVICE) * 0.1
        handle = self.block.register_forward_hook(lambda _, __, out: (out[0] + vector,) + out[1:] if isinstance(out, tuple) else out + vector)
        x = self.texts(n, self.ours["work"][1]["tokens"])
        sampled = dict(do_sample=True, temperature=0.8, top_p=0.95, top_k=0, pad_token_id=0)
        yield "generate", self.timed(lambda: self.model.generate(x, max_new_tokens=new, min_new_tokens=new, **sampled))
        if CUDA:
            yield "CUDA graph, greedy", new * self.timed(self.graph(x), STEPS)
        else:
            print("  no CUDA graph: torch sees no card here")
        handle.remove()

    def graph(self, x):
        """A step of all texts, as a graph that is replayed."""
        n, length = x.shape
        # Some versions count what a cache has by themselves, so there is room for all steps.
        cache = StaticCache(config=self.config, max_cache_len=max(128, length + 3 + STEPS * (self.ours["repeat"] + 1)))
        self.model(x, past_key_values=cache, use_cache=True, cache_position=torch.arange(length, device=DEVICE))
        token, at = torch.zeros(n, 1, dtype=torch.long, device=DEVICE), torch.tensor([length], device=DEVICE)

        def step():
            out = self.model(token, past_key_values=cache, use_cache=True, cache_position=at, position_ids=at.expand(n, 1))
            token.copy_(out.logits[:, -1].argmax(-1, keepdim=True))

        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            step(), step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
        return graph.replay


@torch.inference_mode()
def main():
    print(f"transformers {transformers.__version__}, torch {torch.__version__}, {torch.cuda.get_device_name() if CUDA else 'the processor'}, bfloat16")
    for path, folder in zip(sys.argv[1::2], sys.argv[2::2]):
        with open(path) as f:
            ours = json.load(f)
        peer = Peer(ours, folder)
        print(f"{ours['model']}, ours on {ours['device']}; tokens/s, and how many times as fast ours is", flush=True)
        for work in ours["work"]:
            kind = work["name"].split("/")[0]
            if kind not in ("capture", "score", "decode"):
                continue
            try:
                for how, took in getattr(peer, kind)(work):
                    rate = work["texts"] * work["tokens"] / took
                    print(f"  {work['name']:12} ours {work['tokens_per_second']:>10.0f}  transformers {rate:>10.0f}  {work['tokens_per_second'] / rate:>6.2f}  {how}", flush=True)
            except Exception as e:  # the rest is still worth having
                print(f"  {work['name']:12} transformers: {type(e).__name__}: {str(e)[:200]}", flush=True)
        if CUDA:
            print(f"  the peer's memory: {torch.cuda.max_memory_allocated() >> 20} MiB at most")
            torch.cuda.reset_peak_memory_stats()
        del peer
        torch.cuda.empty_cache() if CUDA else None


main()
