"""Writes real.json: shapes and values of the two pretrained models, read by gguf-py.

For every tensor its Hugging Face name and shape; for those of the first and the last block
and the last norm the SHA-256 of their float32 values, for the embedding that of its first
64 rows. q and k of the llama model are put back into Hugging Face's order, 1 is taken from
Gemma's norms. Needs the files that scripts/fetch-models.sh fetches.

Made with: gguf 0.19.0, numpy 2.4.6, Python 3.11
Run: python make_real.py FOLDER
"""
import hashlib
import json
import pathlib
import sys

import gguf
import numpy as np

here = pathlib.Path(__file__).parent
OUTER = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
PARTS = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm", "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}  # fmt: skip
NORMS = {
    "llama": {"ffn_norm": "post_attention_layernorm"},
    "gemma3": {"post_attention_norm": "post_attention_layernorm", "ffn_norm": "pre_feedforward_layernorm", "post_ffw_norm": "post_feedforward_layernorm"},
}


def read(path, arch, blocks, heads):
    out = {}
    for t in gguf.GGUFReader(path).tensors:
        if t.name in OUTER:
            name, part, number = OUTER[t.name], t.name.removesuffix(".weight"), None
        else:
            _, number, part, _ = t.name.split(".")
            name = f"model.layers.{number}.{(PARTS | NORMS[arch])[part]}.weight"
        entry = {"type": t.tensor_type.name, "shape": [int(n) for n in reversed(t.shape)]}
        out[name] = entry
        if number not in (None, "0", str(blocks - 1)):
            continue
        data = t.data[:64] if part == "token_embd" else t.data
        values = gguf.dequantize(data, t.tensor_type).astype(np.float32)
        if arch == "llama" and part in heads:
            n = heads[part]
            d = values.shape[0] // n
            values = values.reshape(n, d // 2, 2, -1).swapaxes(1, 2).reshape(values.shape)
        if arch == "gemma3" and part.endswith("_norm"):
            values = values - np.float32(1)
        entry["sha256"] = hashlib.sha256(np.ascontiguousarray(values).astype("<f4").tobytes()).hexdigest()
    return out


folder = pathlib.Path(sys.argv[1])
with open(here / "real.json", "w") as f:
    json.dump(
        {
            "SmolLM2-135M-Instruct.Q4_1.gguf": read(folder / "SmolLM2-135M-Instruct.Q4_1.gguf", "llama", 30, {"attn_q": 9, "attn_k": 3}),
            "gemma-3-270m.Q4_K_M.gguf": read(folder / "gemma-3-270m.Q4_K_M.gguf", "gemma3", 18, {}),
        },
        f,
        separators=(",", ":"),
        sort_keys=True,
    )
    f.write("\n")
