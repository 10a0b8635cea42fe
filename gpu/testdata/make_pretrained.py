"""Writes pretrained.json, the fixture of pretrained_test.go: greedy continuations of the two
pretrained GGUF models by transformers.

    python make_pretrained.py [FOLDER]      FOLDER holds the files of scripts/fetch-models.sh (default: models)

Token ids are given, so that this compares models and not tokenizers. Everything is float32, one
prompt at a time, with a key-value cache. A margin is the best minus the second-best logit.

Versions: transformers 5.23.0, torch 2.15.0, gguf 0.19.0, accelerate 1.15.0, Python 3.
"""

import json
import os
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = ["SmolLM2-135M-Instruct.Q4_1.gguf", "gemma-3-270m.Q4_K_M.gguf"]
NEW_TOKENS = 32


def greedy(model, ids):
    tokens, margins, cache, x = [], [], None, torch.tensor([ids])
    for _ in range(NEW_TOKENS):
        out = model(input_ids=x, past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        best = out.logits[0, -1].float().topk(2)
        tokens.append(best.indices[0].item())
        margins.append(round((best.values[0] - best.values[1]).item(), 6))
        x = torch.tensor([[tokens[-1]]])
    return tokens, margins


@torch.no_grad()
def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "..", "models")
    prompts = json.load(open(os.path.join(HERE, "..", "..", "configs", "prompts.json")))[:20]
    fixture = {"versions": "transformers 5.23.0, torch 2.15.0", "prompts": prompts, "models": {}}
    for name in FILES:
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
        model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()
        rows = []
        for prompt in prompts:
            ids = tokenizer(prompt)["input_ids"]
            tokens, margins = greedy(model, ids)
            rows.append({"prompt": ids, "tokens": tokens, "margins": margins})
        fixture["models"][name] = rows
    with open(os.path.join(HERE, "pretrained.json"), "w") as f:
        json.dump(fixture, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
