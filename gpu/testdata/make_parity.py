"""Writes the fixtures of parity_test.go: what transformers computes for small models.

    python make_parity.py                        tiny random models of every family, weights included
    python make_parity.py NAME FOLDER [TEXT...]  one more fixture for a model folder that is elsewhere

A fixture holds, for each text: tokens in, the residual stream after every block at the last
token (by hooks: before the final norm), the logits of the next token, and 32 greedy tokens with
the margin (best minus second-best logit) of each; and the same while a vector is added to the
output of one block at the newest token of every forward, that is at the last prompt token and
all that follow. Everything is float32, one text at a time, without padding and without a cache.

Versions: transformers 5.23.0, torch 2.15.0, safetensors 0.8.0, Python 3.
"""

import json
import os
import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "parity")
NEW_TOKENS = 32

BASE = dict(vocab_size=96, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            intermediate_size=48, max_position_embeddings=128, rms_norm_eps=1e-5, eos_token_id=1, bos_token_id=0, pad_token_id=0)
GEMMA = dict(BASE, head_dim=16, hidden_activation="gelu_pytorch_tanh", sliding_window=8, tie_word_embeddings=True)

# Texts of these lengths; continuations are only compared where the family's position encoding
# does not change its mind in the middle (see "greedy").
LENGTHS = [1, 7, 16, 20, 33]
FAMILIES = {
    "llama": dict(BASE, model_type="llama", tie_word_embeddings=True),
    "llama_bias": dict(BASE, model_type="llama", attention_bias=True, mlp_bias=True, tie_word_embeddings=False),
    "llama3": dict(BASE, model_type="llama", tie_word_embeddings=False, head_dim=16, rope_parameters=dict(
        rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=32)),
    "llama_linear": dict(BASE, model_type="llama", rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0)),
    "llama_yarn": dict(BASE, model_type="llama", rope_parameters=dict(
        rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=32)),
    "llama_dynamic": dict(BASE, model_type="llama", max_position_embeddings=16, greedy=[],
                          rope_parameters=dict(rope_type="dynamic", rope_theta=10000.0, factor=2.0)),
    "mistral": dict(BASE, model_type="mistral", sliding_window=6, tie_word_embeddings=False),
    "qwen2": dict(BASE, model_type="qwen2", tie_word_embeddings=True),
    "qwen2_window": dict(BASE, model_type="qwen2", num_hidden_layers=3, use_sliding_window=True, sliding_window=5, max_window_layers=1),
    "qwen3": dict(BASE, model_type="qwen3", head_dim=16, tie_word_embeddings=False),
    "gemma2": dict(GEMMA, model_type="gemma2", query_pre_attn_scalar=24, attn_logit_softcapping=3.0, final_logit_softcapping=4.0),
    "gemma3": dict(GEMMA, model_type="gemma3_text", num_hidden_layers=3, query_pre_attn_scalar=16, layer_types=[
        "sliding_attention", "full_attention", "sliding_attention"], rope_parameters=dict(
        full_attention=dict(rope_type="linear", rope_theta=1000000.0, factor=8.0),
        sliding_attention=dict(rope_type="default", rope_theta=10000.0))),
    "phi3": dict(BASE, model_type="phi3", original_max_position_embeddings=128, tie_word_embeddings=False),
    # Texts of at most 16 tokens turn by the short factors, longer ones by the long ones.
    "phi3_longrope": dict(BASE, model_type="phi3", max_position_embeddings=64, original_max_position_embeddings=16,
                          tie_word_embeddings=False, rope_parameters=dict(
                              rope_type="longrope", rope_theta=10000.0, original_max_position_embeddings=16,
                              short_factor=[1.0, 1.1, 1.3, 1.6], long_factor=[1.2, 2.0, 4.5, 9.0])),
    "phi3_partial": dict(BASE, model_type="phi3", num_attention_heads=2, num_key_value_heads=2, partial_rotary_factor=0.75,
                         original_max_position_embeddings=128, tie_word_embeddings=True),
    "smollm2": dict(BASE, model_type="llama", hidden_size=36, num_attention_heads=3, num_key_value_heads=1, tie_word_embeddings=True,
                    rope_parameters=dict(rope_type="default", rope_theta=100000.0)),
    # The larger Gemma 3 also see; their text model is described and stored inside the whole.
    "gemma3_vision": dict(model_type="gemma3", eos_token_id=1, mm_tokens_per_image=1,
                          text_config=dict(GEMMA, num_hidden_layers=3, num_key_value_heads=1, query_pre_attn_scalar=16, layer_types=[
                              "sliding_attention", "sliding_attention", "full_attention"], rope_parameters=dict(
                              full_attention=dict(rope_type="linear", rope_theta=1000000.0, factor=8.0),
                              sliding_attention=dict(rope_type="default", rope_theta=10000.0))),
                          vision_config=dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1,
                                             image_size=2, patch_size=2)),
}


def random_model(name, settings, seed):
    """Makes a model whose weights are exact in bfloat16 and large enough for every part to matter."""
    settings = dict(settings)
    config = AutoConfig.for_model(settings.pop("model_type"), **settings)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if "norm" in key:
                mean = 0.0 if "gemma" in name else 1.0
                p.copy_(mean + 0.2 * noise)
            else:
                p.copy_(0.25 * noise)
            p.copy_(p.to(torch.bfloat16).float())
    return model


def blocks(model):
    return getattr(model.model, "language_model", model.model).layers


def forward(model, tokens, vector=None, layer=None, first=None):
    """Returns the residual after every block and the logits, both at the last token."""
    residual = []

    def hook(index):
        def f(module, args, output):
            x = output[0] if isinstance(output, tuple) else output
            if vector is not None and index == layer:
                x = x.clone()
                x[:, first:] += vector
                output = (x,) + output[1:] if isinstance(output, tuple) else x
            residual.append(x[0, -1].detach().clone())
            return output
        return f

    handles = [b.register_forward_hook(hook(i)) for i, b in enumerate(blocks(model))]
    try:
        with torch.no_grad():
            logits = model(torch.tensor([tokens]), use_cache=False).logits[0, -1]
    finally:
        for h in handles:
            h.remove()
    return residual, logits


def greedy(model, tokens, **steer):
    out, margins, text = [], [], list(tokens)
    for _ in range(NEW_TOKENS):
        _, logits = forward(model, text, **steer)
        top = torch.topk(logits, 2)
        out.append(int(top.indices[0]))
        margins.append(float(top.values[0] - top.values[1]))
        text.append(out[-1])
    return out, margins


def numbers(x):
    return [float("%.9g" % v) for v in x]


def fixture(model, texts, greedy_texts, seed, scale):
    hidden = model.config.get_text_config().hidden_size
    generator = torch.Generator().manual_seed(seed)
    layer = len(blocks(model)) // 2
    cases = []
    vector = None
    for i, tokens in enumerate(texts):
        residual, logits = forward(model, tokens)
        if vector is None:
            vector = torch.randn(hidden, generator=generator)
            vector *= scale * residual[layer].norm() / vector.norm()
        steer = dict(vector=vector, layer=layer, first=len(tokens) - 1)
        steered_residual, steered_logits = forward(model, tokens, **steer)
        case = dict(tokens=tokens, residual=[numbers(r) for r in residual], logits=numbers(logits),
                    steered_residual=[numbers(r) for r in steered_residual], steered_logits=numbers(steered_logits))
        if i in greedy_texts:
            case["greedy"], margins = greedy(model, tokens)
            case["margins"] = numbers(margins)
            case["steered"], margins = greedy(model, tokens, **steer)
            case["steered_margins"] = numbers(margins)
        cases.append(case)
    return dict(layer=layer, vector=numbers(vector), cases=cases)


def write(path, value):
    with open(path, "w") as f:
        json.dump(value, f, separators=(",", ":"))
        f.write("\n")


def save(folder, config, state):
    os.makedirs(folder, exist_ok=True)
    write(os.path.join(folder, "config.json"), config)
    state = {k: v.to(torch.bfloat16).contiguous() for k, v in state.items()}
    save_file(state, os.path.join(folder, "model.safetensors"))


def config_of(model):
    """The configuration as transformers writes it."""
    folder = os.path.join(OUT, "tmp")
    model.config.save_pretrained(folder)
    with open(os.path.join(folder, "config.json")) as f:
        config = json.load(f)
    for name in os.listdir(folder):
        os.remove(os.path.join(folder, name))
    os.rmdir(folder)
    return config


def state_of(model):
    """The weights under the names that checkpoints have."""
    state = dict(model.state_dict())
    if model.config.tie_word_embeddings:
        state.pop("lm_head.weight")
    if hasattr(model.model, "language_model"):
        state = {k.removeprefix("model.").replace("language_model.", "language_model.model."): v for k, v in state.items()}
    return state


def qwen_v1(model):
    """Qwen2's weights under the names of the first Qwen, for which transformers has no class."""
    old, new = state_of(model), {}
    for l in range(len(blocks(model))):
        a, b = f"model.layers.{l}.", f"transformer.h.{l}."
        for kind in ("weight", "bias"):
            new[b + "attn.c_attn." + kind] = torch.cat([old[a + f"self_attn.{x}_proj.{kind}"] for x in "qkv"])
        for to, source in {"attn.c_proj": "self_attn.o_proj", "mlp.w2": "mlp.gate_proj", "mlp.w1": "mlp.up_proj",
                           "mlp.c_proj": "mlp.down_proj", "ln_1": "input_layernorm", "ln_2": "post_attention_layernorm"}.items():
            new[b + to + ".weight"] = old[a + source + ".weight"]
    new["transformer.wte.weight"] = old["model.embed_tokens.weight"]
    new["transformer.ln_f.weight"] = old["model.norm.weight"]
    new["lm_head.weight"] = old["lm_head.weight"]
    c = model.config
    config = dict(model_type="qwen", architectures=["QWenLMHeadModel"], vocab_size=c.vocab_size, hidden_size=c.hidden_size,
                  num_hidden_layers=c.num_hidden_layers, num_attention_heads=c.num_attention_heads,
                  kv_channels=c.hidden_size // c.num_attention_heads, intermediate_size=2 * c.intermediate_size,
                  max_position_embeddings=c.max_position_embeddings, seq_length=c.max_position_embeddings,
                  layer_norm_epsilon=c.rms_norm_eps, rotary_emb_base=10000, rotary_pct=1.0, use_dynamic_ntk=True,
                  use_logn_attn=True, no_bias=True, scale_attn_weights=True, tie_word_embeddings=False)
    return config, new


def random_texts(vocab, seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(2, vocab, (n,), generator=generator).tolist() for n in LENGTHS]


def families():
    for i, (name, settings) in enumerate(FAMILIES.items()):
        settings = dict(settings)
        greedy_texts = settings.pop("greedy", range(len(LENGTHS)))
        model = random_model(name, settings, seed=i)
        folder = os.path.join(OUT, name)
        save(folder, config_of(model), state_of(model))
        write(os.path.join(folder, "parity.json"), fixture(model, random_texts(96, 100 + i), greedy_texts, seed=i, scale=1.0))
        print(name)
    model = random_model("qwen", dict(BASE, model_type="qwen2", num_key_value_heads=4, tie_word_embeddings=False), seed=77)
    folder = os.path.join(OUT, "qwen")
    save(folder, *qwen_v1(model))
    write(os.path.join(folder, "parity.json"), fixture(model, random_texts(96, 177), range(len(LENGTHS)), seed=77, scale=1.0))
    print("qwen")


DEFAULT_TEXTS = [
    "Describe the cat in the garden.",
    "The old clock",
    "Topic: river and bridge. The river sings loudly, and the bridge waits.",
    "Why does the tired needle wait? Nobody knows,",
]


def folder_fixture(name, folder, texts):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    ids = [tokenizer.encode(t) for t in texts or DEFAULT_TEXTS]
    value = fixture(model, ids, range(len(ids)), seed=5, scale=0.5)
    value["texts"] = list(texts or DEFAULT_TEXTS)
    write(os.path.join(OUT, name + ".json"), value)


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    if len(sys.argv) > 2:
        folder_fixture(sys.argv[1], sys.argv[2], sys.argv[3:])
    else:
        families()
