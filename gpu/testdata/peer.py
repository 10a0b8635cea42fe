"""Times transformers on what bench_test.go times here: the peer of BENCHMARKS.md.

    python peer.py [MODEL.gguf]     default: the embedded LLaMA-style model

Prints tokens a second for steered sampling with a cache (90 rows, 28 tokens; pretrained: 30 rows,
20 tokens) and for capture (residuals after a middle block, 512 texts of 34 tokens).
"""

import os
import sys
import time

import torch
from transformers import AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))


def block_of(model, layer):
    return model.model.layers[layer]


@torch.no_grad()
def main():
    torch.manual_seed(1)
    torch.set_num_threads(2)
    if len(sys.argv) > 1:
        folder, name = os.path.split(sys.argv[1])
        model = AutoModelForCausalLM.from_pretrained(folder or ".", gguf_file=name, dtype=torch.float32).eval()
        rows, new = 30, 20
    else:
        model = AutoModelForCausalLM.from_pretrained(os.path.join(HERE, "..", "tiny", "llama"), dtype=torch.float32).eval()
        rows, new = 90, 28
    layer = model.config.num_hidden_layers // 2
    vector = torch.randn(model.config.hidden_size)
    vocab = model.config.vocab_size

    def steer(_, __, out):
        h = (out[0] if isinstance(out, tuple) else out).clone()
        h[:, -1] += vector
        return (h,) + tuple(out[1:]) if isinstance(out, tuple) else h

    best = 0.0
    for _ in range(3):
        handle = block_of(model, layer).register_forward_hook(steer)
        x, cache, start = torch.randint(3, vocab, (rows, 9)), None, time.time()
        for _ in range(new):
            out = model(input_ids=x, past_key_values=cache, use_cache=True, logits_to_keep=1)
            cache = out.past_key_values
            p, order = torch.softmax(out.logits[:, -1] / 0.8, -1).sort(-1, descending=True)
            p[p.cumsum(-1) - p > 0.95] = 0
            x = order.gather(1, torch.multinomial(p, 1))
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


if __name__ == "__main__":
    main()
