"""Writes the GGUF fixtures: quants.gguf and one tiny model per architecture.

quants.gguf           one tensor per stored type, blocks of random bytes with small scales
quants.safetensors    what gguf.dequantize makes of them
<arch>.gguf           a tiny random model as convert_hf_to_gguf.py would write it
<arch>.safetensors    the same weights as Hugging Face has them, before conversion
<arch>.json           the Hugging Face configuration that it came from

The conversion is done here, from its definition (permuted q and k for llama, norms plus one
for Gemma, rope factors), so that undoing it is tested against the original and not against
another undoing. With --check, what transformers reads from each GGUF (all but the first
Qwen, which it does not know) is compared with the original as well; that needs accelerate.

Made with: gguf 0.19.0, numpy 2.4.6, safetensors 0.8.0, torch 2.15.0, transformers 5.23.0, Python 3.11
Run: python make_gguf.py [--check]
"""
import json
import math
import pathlib
import sys

import gguf
import numpy as np
from safetensors.numpy import save_file

here = pathlib.Path(__file__).parent
rng = np.random.default_rng(7)
T = gguf.GGMLQuantizationType

TYPES = [T.F32, T.F16, T.BF16, T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q2_K, T.Q3_K, T.Q4_K, T.Q5_K, T.Q6_K]

# Where the float16 scales of a block are.
SCALES = {
    T.Q8_0: [0], T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2],
    T.Q2_K: [80, 82], T.Q3_K: [108], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208],
}  # fmt: skip


def blocks(kind, rows, width):
    """Random stored bytes of rows × width values: [rows, bytes]."""
    if kind == T.F32:
        return rng.standard_normal((rows, width), dtype=np.float32).view(np.uint8)
    if kind == T.F16:
        return rng.standard_normal((rows, width)).astype(np.float16).view(np.uint8)
    if kind == T.BF16:
        return (rng.standard_normal((rows, width), dtype=np.float32).view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
    block, size = gguf.GGML_QUANT_SIZES[kind]
    raw = rng.integers(0, 256, (rows * width // block, size), dtype=np.uint8)
    for at in SCALES[kind]:
        scale = (rng.standard_normal(len(raw)) * 0.02).astype(np.float16)
        raw[:, at : at + 2] = scale.view(np.uint8).reshape(-1, 2)
    return raw.reshape(rows, -1)


def quants():
    w = gguf.GGUFWriter(here / "quants.gguf", "llama")
    want = {}
    for kind in TYPES:
        raw = blocks(kind, 3, 512)
        name = f"{kind.name}.weight"
        w.add_tensor(name, raw, raw_dtype=kind)
        values = gguf.dequantize(raw.reshape(-1) if kind == T.F32 else raw, kind)
        want[name] = np.ascontiguousarray(values.view(np.float32).reshape(3, 512))
    finish(w)
    save_file(want, here / "quants.safetensors")


def finish(w):
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def permute(weights, heads):
    """convert_hf_to_gguf.py, LlamaModel.permute."""
    return weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


HIDDEN, BLOCKS, HEADS, KV, FF, VOCAB = 16, 2, 2, 1, 24, 24

NAMES = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "self_attn.o_proj": "attn_output",
    "self_attn.qkv_proj": "attn_qkv", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "mlp.gate_up_proj": "ffn_up", "post_attention_layernorm": "ffn_norm",
    "ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "ln_2": "ffn_norm",
    "mlp.w2": "ffn_gate", "mlp.w1": "ffn_up", "mlp.c_proj": "ffn_down",
}  # fmt: skip
GEMMA = {"post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm"}


def original(arch, config):
    """Hugging Face's names and shapes of a random model."""
    d = config.get("head_dim", HIDDEN // HEADS)
    q, kv, ff = HEADS * d, config.get("num_key_value_heads", HEADS) * d, FF
    shapes = {"model.embed_tokens.weight": (VOCAB, HIDDEN), "model.norm.weight": (HIDDEN,)}
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (VOCAB, HIDDEN)
    for i in range(BLOCKS):
        p = f"model.layers.{i}."
        shapes[p + "input_layernorm.weight"] = shapes[p + "post_attention_layernorm.weight"] = (HIDDEN,)
        shapes[p + "self_attn.o_proj.weight"], shapes[p + "mlp.down_proj.weight"] = (HIDDEN, q), (HIDDEN, ff)
        if arch == "phi3":
            shapes[p + "self_attn.qkv_proj.weight"], shapes[p + "mlp.gate_up_proj.weight"] = (q + 2 * kv, HIDDEN), (2 * ff, HIDDEN)
            continue
        for part, n in ("q", q), ("k", kv), ("v", kv):
            shapes[p + f"self_attn.{part}_proj.weight"] = (n, HIDDEN)
            if arch == "qwen2" or config.get("attention_bias"):
                shapes[p + f"self_attn.{part}_proj.bias"] = (n,)
        if config.get("attention_bias"):
            shapes[p + "self_attn.o_proj.bias"] = (HIDDEN,)
        shapes[p + "mlp.gate_proj.weight"] = shapes[p + "mlp.up_proj.weight"] = (ff, HIDDEN)
        if arch in ("qwen3", "gemma3"):
            shapes[p + "self_attn.q_norm.weight"] = shapes[p + "self_attn.k_norm.weight"] = (d,)
        if arch in ("gemma2", "gemma3"):
            shapes[p + "pre_feedforward_layernorm.weight"] = shapes[p + "post_feedforward_layernorm.weight"] = (HIDDEN,)
    if arch == "qwen":
        shapes = {"transformer.wte.weight": (VOCAB, HIDDEN), "transformer.ln_f.weight": (HIDDEN,), "lm_head.weight": (VOCAB, HIDDEN)}
        for i in range(BLOCKS):
            p = f"transformer.h.{i}."
            shapes |= {
                p + "ln_1.weight": (HIDDEN,), p + "ln_2.weight": (HIDDEN,),
                p + "attn.c_attn.weight": (3 * HIDDEN, HIDDEN), p + "attn.c_attn.bias": (3 * HIDDEN,),
                p + "attn.c_proj.weight": (HIDDEN, HIDDEN), p + "mlp.c_proj.weight": (HIDDEN, FF),
                p + "mlp.w1.weight": (FF, HIDDEN), p + "mlp.w2.weight": (FF, HIDDEN),
            }  # fmt: skip
    # Sixteenths: float16 holds them, and adding 1 to a norm and taking it away again is exact.
    return {k: (rng.integers(-64, 64, s) / 16).astype(np.float32) for k, s in shapes.items()}


def gguf_name(arch, name):
    outer = {
        "model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight",
        "transformer.wte.weight": "token_embd.weight", "transformer.ln_f.weight": "output_norm.weight",
    }  # fmt: skip
    if name in outer:
        return outer[name]
    rest = name.removeprefix("model.layers.").removeprefix("transformer.h.")
    number, rest = rest.split(".", 1)
    part, kind = rest.rsplit(".", 1)
    names = NAMES | GEMMA if arch.startswith("gemma") else NAMES
    return f"blk.{number}.{names[part]}.{kind}"


def llama3_factors(config):
    """convert_hf_to_gguf.py, LlamaModel.generate_extra_tensors, in float32 as there."""
    import torch

    r, d = config["rope_scaling"], config["head_dim"]
    freqs = 1.0 / (config["rope_theta"] ** (torch.arange(0, d, 2, dtype=torch.float32) / d))
    low, high = r["original_max_position_embeddings"] / r["low_freq_factor"], r["original_max_position_embeddings"] / r["high_freq_factor"]
    out = []
    for freq in freqs:
        wave = 2 * math.pi / freq
        if wave < high:
            out.append(1)
        elif wave > low:
            out.append(r["factor"])
        else:
            smooth = (r["original_max_position_embeddings"] / wave - r["low_freq_factor"]) / (r["high_freq_factor"] - r["low_freq_factor"])
            out.append(1 / ((1 - smooth) / r["factor"] + smooth))
    return np.array(out, dtype=np.float32)


def model(arch, config, name=None):
    name = name or arch
    weights = original(arch, config)
    w = gguf.GGUFWriter(here / f"{name}.gguf", arch)
    w.add_context_length(config["max_position_embeddings"])
    w.add_embedding_length(HIDDEN)
    w.add_block_count(BLOCKS)
    w.add_feed_forward_length(config["intermediate_size"])
    w.add_head_count(HEADS)
    w.add_layer_norm_rms_eps(config.get("rms_norm_eps", config.get("layer_norm_epsilon")))
    w.add_rope_freq_base(config.get("rope_theta", config.get("rotary_emb_base")))
    if arch != "qwen":
        w.add_head_count_kv(config["num_key_value_heads"])
        w.add_key_length(config["head_dim"])
        w.add_value_length(config["head_dim"])
    if arch in ("llama", "phi3", "qwen"):
        w.add_rope_dimension_count(config.get("head_dim", HIDDEN // HEADS))
    if arch.startswith("gemma"):
        w.add_sliding_window(config["sliding_window"])
    if arch == "gemma2":
        w.add_attn_logit_softcapping(config["attn_logit_softcapping"])
        w.add_final_logit_softcapping(config["final_logit_softcapping"])
    if arch == "phi3":
        w.add_sliding_window(config["sliding_window"] or 0)
        w.add_rope_scaling_orig_ctx_len(config["original_max_position_embeddings"])
        w.add_tensor("rope_factors_long.weight", np.array(config["rope_scaling"]["long_factor"], dtype=np.float32))
        w.add_tensor("rope_factors_short.weight", np.array(config["rope_scaling"]["short_factor"], dtype=np.float32))
    if config.get("rope_scaling", {}).get("rope_type") == "llama3":
        w.add_tensor("rope_freqs.weight", llama3_factors(config))
    if config.get("rope_scaling", {}).get("rope_type") == "linear":
        w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        w.add_rope_scaling_factor(config["rope_scaling"]["factor"])
    tokens = ["<unk>", "<s>", "</s>"] + [chr(97 + i) for i in range(VOCAB - 3)]
    w.add_tokenizer_model("llama")
    w.add_token_list(tokens)
    w.add_token_scores([float(-i) for i in range(VOCAB)])
    w.add_token_types([2, 3, 3] + [1] * (VOCAB - 3))
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    w.add_pad_token_id(0)
    for key, value in weights.items():
        if arch == "llama" and ".q_proj." in key:
            value = permute(value, HEADS)
        if arch == "llama" and ".k_proj." in key:
            value = permute(value, KV)
        if arch.startswith("gemma") and key.endswith("norm.weight"):
            value = value + 1
        # As the converter does: matrices in float16, the rest in float32.
        w.add_tensor(gguf_name(arch, key), np.ascontiguousarray(value.astype(np.float16 if value.ndim > 1 else np.float32)))
    finish(w)
    save_file({k: v.astype(np.float16) for k, v in weights.items()}, here / f"{name}.safetensors")
    with open(here / f"{name}.json", "w") as f:
        json.dump(config, f, indent=1, sort_keys=True)
        f.write("\n")
    if "--check" in sys.argv and arch != "qwen":
        # transformers ignores key_length for qwen3.
        check(name, weights, {"head_dim": config["head_dim"]} if arch == "qwen3" else {})


def check(name, weights, more):
    """Compares with what transformers reads from the GGUF."""
    import torch
    from transformers import AutoModelForCausalLM

    loaded = AutoModelForCausalLM.from_pretrained(here, gguf_file=f"{name}.gguf", dtype=torch.float32, **more)
    state = loaded.state_dict()
    equal = 0
    for key, value in weights.items():
        got = state[key].numpy() if key in state else None
        if got is None:
            print(f"{name}: transformers does not read {key}")  # biases of llama
        elif not np.array_equal(got, value):
            print(f"{name}: transformers reads {key} differently: {np.abs(got - value).max() if got.shape == value.shape else got.shape}")
        else:
            equal += 1
    print(f"{name}: {equal} of {len(weights)} tensors are what transformers reads")


def common(model_type, **more):
    return {
        "model_type": model_type, "vocab_size": VOCAB, "hidden_size": HIDDEN, "intermediate_size": FF, "num_hidden_layers": BLOCKS,
        "num_attention_heads": HEADS, "num_key_value_heads": KV, "head_dim": HIDDEN // HEADS, "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
    } | more  # fmt: skip


def main():
    quants()
    llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
    model("llama", common("llama", rope_theta=500000.0, rope_scaling=llama3, hidden_act="silu", attention_bias=True, mlp_bias=False))
    model("qwen2", common("qwen2", hidden_act="silu", tie_word_embeddings=True))
    model("qwen3", common("qwen3", hidden_act="silu", head_dim=16, attention_bias=False))
    gelu = {"hidden_activation": "gelu_pytorch_tanh", "head_dim": 16, "query_pre_attn_scalar": 16, "tie_word_embeddings": True, "sliding_window": 8}
    model("gemma2", common("gemma2", **gelu, attn_logit_softcapping=50.0, final_logit_softcapping=30.0, layer_types=["sliding_attention", "full_attention"]))
    model("gemma3", common("gemma3_text", **gelu, attn_logit_softcapping=None, final_logit_softcapping=None, rope_local_base_freq=10000.0,
                           layer_types=["sliding_attention"] * 2, rope_scaling={"rope_type": "linear", "factor": 8.0}))  # fmt: skip
    factors = {"rope_type": "longrope", "long_factor": [1.0, 2.0, 3.0, 4.5], "short_factor": [1.0, 1.0, 1.25, 1.5], "original_max_position_embeddings": 64}
    model("phi3", common("phi3", hidden_act="silu", original_max_position_embeddings=64, sliding_window=None, rope_scaling=factors))
    model("qwen", {
        "model_type": "qwen", "vocab_size": VOCAB, "hidden_size": HIDDEN, "intermediate_size": 2 * FF, "num_hidden_layers": BLOCKS,
        "num_attention_heads": HEADS, "kv_channels": HIDDEN // HEADS, "layer_norm_epsilon": 1e-6, "rotary_emb_base": 10000.0, "rotary_pct": 1.0,
        "seq_length": 256, "max_position_embeddings": 256, "no_bias": True, "tie_word_embeddings": False,
    })  # fmt: skip


main()
