"""Writes reference.json and reference.safetensors: what Hugging Face's libraries make of the two models.

Run in this folder, after `go run ./gpu/tiny/train`:

    python make_reference.py

Versions it was run with are in reference.json; any that open the folders will do. texts.json is the input: a
hundred texts of the grammar, a hundred odd ones, the indices of the texts whose residuals are kept, and prompts.

For each model:
  ids         token ids of every text, as encode(text) gives them
  residual    safetensors, [texts, blocks, width]: the residual stream after every block at the last token
  steer       safetensors, [width]: a direction drawn at random, half as long as a mean residual after block 1
  greedy      for every prompt, plain and steered, 32 tokens and, for each, how far its logit is above the next
              best one. Steered: `steer` is added to what block 1 returns, at the newest token of every forward.
              End-of-text is suppressed, so that every continuation has 32 tokens.
Everything in float32, one text at a time, with a key-value cache where tokens are generated.
"""
import json
import platform

import numpy as np
import safetensors
import safetensors.numpy
import tokenizers
import torch
import transformers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

NEW_TOKENS, BLOCK = 32, 1


class Recorder:
    """Keeps what every block returns at the last token, and adds a vector to one of them."""

    def __init__(self, model):
        self.last, self.steer = {}, None
        for i, block in enumerate(model.model.layers):
            block.register_forward_hook(lambda module, args, out, i=i: self.see(i, out))

    def see(self, i, out):
        hidden = out[0] if isinstance(out, tuple) else out
        if self.steer is not None and i == BLOCK:
            hidden = hidden.clone()
            hidden[:, -1] += self.steer
        self.last[i] = hidden[0, -1].numpy().copy()
        return (hidden, *out[1:]) if isinstance(out, tuple) else hidden


def greedy(model, ids, eos):
    """The most likely continuation of ids, and its margins."""
    tokens, margins, cache, step = [], [], None, ids
    for _ in range(NEW_TOKENS):
        out = model(input_ids=torch.tensor([step]), past_key_values=cache, use_cache=True)
        cache, logits = out.past_key_values, out.logits[0, -1].clone()
        logits[eos] = -torch.inf
        best = torch.topk(logits, 2)
        tokens.append(best.indices[0].item())
        margins.append(round((best.values[0] - best.values[1]).item(), 6))
        step = tokens[-1:]
    return {"tokens": tokens, "margins": margins}


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    given = json.load(open("texts.json", encoding="utf-8"))
    tensors, reference = {}, {
        "versions": {
            "python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__, "safetensors": safetensors.__version__, "numpy": np.__version__,
        },
        "models": {},
    }
    for name in ("qwen2", "llama"):
        tok = PreTrainedTokenizerFast.from_pretrained(f"../{name}")
        model = AutoModelForCausalLM.from_pretrained(f"../{name}", dtype=torch.float32).eval()
        assert type(model).__name__ == {"qwen2": "Qwen2ForCausalLM", "llama": "LlamaForCausalLM"}[name]
        recorder, blocks = Recorder(model), len(model.model.layers)
        ids = [tok.encode(text) for text in given["texts"]]
        residual = []
        for i in given["residual"]:
            model(input_ids=torch.tensor([ids[i]]))
            residual.append(np.stack([recorder.last[b] for b in range(blocks)]))
        residual = np.stack(residual)
        norm = np.linalg.norm(residual[:, BLOCK].astype(np.float64), axis=1).mean()
        steer = np.random.default_rng(7).standard_normal(residual.shape[-1])
        steer = (steer * 0.5 * norm / np.linalg.norm(steer)).astype(np.float32)
        tensors[f"{name}.residual"], tensors[f"{name}.steer"] = residual, steer
        out = {"ids": ids, "prompts": [tok.encode(p) for p in given["prompts"]]}
        for kind, vector in (("plain", None), ("steered", torch.from_numpy(steer))):
            recorder.steer = vector
            out[kind] = [greedy(model, p, tok.eos_token_id) for p in out["prompts"]]
            for o, p in zip(out[kind], given["prompts"]):
                print(name, kind, repr(p), repr(tok.decode(o["tokens"])), "least margin", min(o["margins"]))
        reference["models"][name] = out
    safetensors.numpy.save_file(tensors, "reference.safetensors")
    with open("reference.json", "w", encoding="utf-8") as f:
        json.dump(reference, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
