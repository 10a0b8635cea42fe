"""Makes small vocabularies of every kind and the ids that Hugging Face's library gives the texts of texts500.json.

    python make.py [folder with the two GGUF files]

Versions it was last run with: Python 3.11.7, tokenizers 0.23.3, sentencepiece 0.2.3, regex 2026.11.15, gguf 0.19.0.

Written: vocab/NAME.json.gz, the vocabulary; reference/NAME.json.gz, for every text "ids", "ends" (byte offset after
each token, as the library gives it), "plain" and "skip" (the ids decoded, with and without special tokens; null where
equal to the text). With a folder also reference/smollm2.json.gz and reference/gemma3.json.gz, whose vocabularies are
those of the real models.
"""
import base64
import gzip
import json
import os
import platform
import sys

import regex
import sentencepiece
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
TEXTS = json.load(open(os.path.join(HERE, "texts500.json")))
CORPUS = [t for t in TEXTS if t.strip()] * 2
VERSIONS = {"python": platform.python_version(), "tokenizers": tokenizers.__version__, "sentencepiece": sentencepiece.__version__}

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CL100K = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
DEEPSEEK = [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
            "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"]
BYTE_TOKENS = ["<0x%02X>" % b for b in range(256)]


def special(*tokens, **flags):
    return [AddedToken(t, special=True, normalized=False, **flags) for t in tokens]


def template(before, after, tok):
    s = " ".join(before + ["$A"] + after)
    return processors.TemplateProcessing(single=s, pair=s + " $B:1", special_tokens=[(t, tok.token_to_id(t)) for t in before + after])


def byte_level(splits, added, normalizer=None, ignore_merges=False, bos=None, use_regex=False, digits=False, size=700, prefix_space=False):
    tok = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer:
        tok.normalizer = normalizer
    parts = [pre_tokenizers.Digits(individual_digits=True)] if digits else []
    parts += [pre_tokenizers.Split(Regex(s), "isolated") for s in splits]
    parts.append(pre_tokenizers.ByteLevel(add_prefix_space=prefix_space, use_regex=use_regex, trim_offsets=False))
    tok.pre_tokenizer = parts[0] if len(parts) == 1 else pre_tokenizers.Sequence(parts)
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tok.add_special_tokens(special(*added))
    if bos:
        tok.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template([bos], [], tok)])
    else:
        tok.post_processor = processors.ByteLevel(trim_offsets=False)
    return tok


def pieces(kind, added, size=900, strip=True, bos=True):
    """A BPE on ▁, as in the LLaMA and Gemma families, with byte fallback."""
    tok = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tok.normalizer = normalizers.Replace(" ", "▁")
    tok.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")  # for training only
    tok.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=size, limit_alphabet=220, special_tokens=special("<unk>", "<s>", "</s>") + BYTE_TOKENS, show_progress=False))
    state = json.loads(tok.to_str())
    state["added_tokens"] = [a for a in state["added_tokens"] if a["id"] < 3]
    tok = Tokenizer.from_str(json.dumps(state))
    tok.pre_tokenizer = None
    back = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    if kind == "prepend":  # LLaMA 1 and 2, Phi-3
        tok.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        back.append(decoders.Strip(" ", 1, 0))
    elif kind == "first":  # LLaMA 2 without legacy, Mistral 0.3
        tok.normalizer = None
        tok.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="first", split=False)
        back.append(decoders.Strip(" ", 1, 0))
    elif kind == "gemma":
        tok.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tok.decoder = decoders.Sequence(back)
    tok.add_tokens(added)
    if bos:
        tok.post_processor = template(["<s>"], [], tok)
    return tok


def charsmap():
    """The precompiled_charsmap of SentencePiece's nmt_nfkc."""
    from sentencepiece import sentencepiece_model_pb2 as pb
    m = pb.ModelProto()
    m.ParseFromString(SPM["spm_unigram"])
    return m.normalizer_spec.precompiled_charsmap


def unigram(byte_fallback):
    tok = Tokenizer(models.Unigram())
    # The library has an error of its own where a Precompiled changes the number of characters in a grapheme and
    # normalisers follow it, so one fixture has it alone and the other has none.
    if byte_fallback:
        tok.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Strip(False, True), normalizers.Replace(Regex(" {2,}"), "▁")])
    else:
        tok.normalizer = normalizers.Precompiled(charsmap())
    tok.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="always")
    tok.decoder = decoders.Metaspace("▁", prepend_scheme="always")
    tok.train_from_iterator([t for t in CORPUS if t.isascii()] + TEXTS[:25], trainers.UnigramTrainer(
        vocab_size=900 if not byte_fallback else 700, special_tokens=["<pad>", "</s>", "<unk>"] + (BYTE_TOKENS if byte_fallback else []), unk_token="<unk>", show_progress=False))
    if byte_fallback:
        state = json.loads(tok.to_str())
        state["model"]["byte_fallback"] = True
        state["added_tokens"] = [a for a in state["added_tokens"] if a["id"] < 3]
        state["decoder"] = json.loads(decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]).__getstate__())
        tok = Tokenizer.from_str(json.dumps(state))
    tok.post_processor = template([], ["</s>"], tok)
    return tok


def sink():
    """What is left: normalisers, splits and flags that the families above do not use."""
    tok = Tokenizer(models.BPE(unk_token="[UNK]", fuse_unk=False, continuing_subword_prefix="##"))
    tok.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Strip()])
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Digits(), pre_tokenizers.FixedLength(9)])
    tok.decoder = decoders.Fuse()
    tok.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=600, limit_alphabet=100, special_tokens=["[UNK]", "[CLS]", "[SEP]"], continuing_subword_prefix="##", show_progress=False))
    tok.add_tokens([
        AddedToken("Hello", normalized=True), AddedToken("É", normalized=True), AddedToken("he", single_word=True, normalized=False),
        AddedToken("world", lstrip=True, rstrip=True, normalized=False), AddedToken("<b>", lstrip=True, normalized=False), AddedToken("</s>", rstrip=True, special=True, normalized=False),
        AddedToken("rights", single_word=True, normalized=True), AddedToken("right", normalized=True), AddedToken("<|im_end|>\n", normalized=False), AddedToken("<|im_end|>", normalized=False)])
    tok.post_processor = processors.BertProcessing(("[SEP]", tok.token_to_id("[SEP]")), ("[CLS]", tok.token_to_id("[CLS]")))
    return tok


def suffixed():
    tok = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, end_of_word_suffix="</w>"))
    tok.normalizer = normalizers.NFD()
    tok.pre_tokenizer = pre_tokenizers.Whitespace()
    tok.decoder = decoders.BPEDecoder("</w>")
    tok.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=600, limit_alphabet=150, special_tokens=["<unk>"], end_of_word_suffix="</w>", show_progress=False))
    return tok


def behavior(name, invert=False):
    tok = Tokenizer(models.BPE(unk_token="<unk>"))
    tok.pre_tokenizer = pre_tokenizers.Split(Regex(r"[aeiou]+|\d"), name, invert)
    tok.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=500, limit_alphabet=150, special_tokens=["<unk>"], show_progress=False))
    return tok


def train_spm(**options):
    import io
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([t.replace("\n", " ") for t in CORPUS + 20 * [t for t in CORPUS if t.isascii()]]), model_writer=out, minloglevel=2, num_threads=1, hard_vocab_limit=False, max_sentence_length=10000, **options)
    return out.getvalue()


def byte_ends(text, ends):
    at = [0]
    for c in text:
        at.append(at[-1] + len(c.encode("utf-8")))
    return [at[e] for e in ends]


def row(text, ids, ends, plain, skip):
    return {"ids": ids, "ends": ends, "plain": None if plain == text else plain, "skip": None if skip == text else skip}


def reference(tok):
    rows = []
    for t in TEXTS:
        e = tok.encode(t)
        rows.append(row(t, e.ids, byte_ends(t, [o[1] for o in e.offsets]), tok.decode(e.ids, skip_special_tokens=False), tok.decode(e.ids)))
    return rows


def spm_reference(model):
    sp = sentencepiece.SentencePieceProcessor(model_proto=model)
    rows = []
    for t in TEXTS:
        ids = sp.encode(t)
        rows.append({"ids": ids, "ends": None, "plain": None, "skip": sp.decode(ids)})
    return rows


def write(folder, name, data):
    os.makedirs(os.path.join(HERE, folder), exist_ok=True)
    raw = data if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    with open(os.path.join(HERE, folder, name), "wb") as f:
        f.write(gzip.compress(raw, 9, mtime=0))


def save(name, tok):
    state = tok.to_str()
    write("vocab", name + ".json.gz", state.encode())
    write("reference", name + ".json.gz", {"versions": VERSIONS, "rows": reference(Tokenizer.from_str(state))})
    print(name, tok.get_vocab_size())


def tiktoken_encode(ranks, text):
    """tiktoken's own loop, byte_pair_merge of https://github.com/openai/tiktoken/blob/main/src/lib.rs, in plain Python."""
    out = []
    for word in regex.findall(QWEN2, text):
        parts = [bytes([b]) for b in word.encode()]
        while len(parts) > 1:
            r, i = min((ranks.get(parts[i] + parts[i + 1], 1 << 30), i) for i in range(len(parts) - 1))
            if r == 1 << 30:
                break
            parts[i:i + 2] = [parts[i] + parts[i + 1]]
        out += [ranks[p] for p in parts]
    return out


def tiktoken(base):
    """A vocabulary in Qwen's first format from a byte-level one: its tokens as bytes, ordered by their merges."""
    alphabet = {c: b for b, c in zip(*bytes_and_chars())}
    ranks = {}
    for b in range(256):
        ranks[bytes([b])] = len(ranks)
    for a, b in json.loads(base.to_str())["model"]["merges"]:
        token = bytes(alphabet[c] for c in a + b)
        if token not in ranks:
            ranks[token] = len(ranks)
    lines = b"".join(base64.b64encode(t) + b" %d\n" % r for t, r in ranks.items())
    write("vocab", "qwen.tiktoken.gz", lines)
    import unicodedata
    names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] + ["<|extra_%d|>" % i for i in range(205)]
    specials = {n: len(ranks) + i for i, n in enumerate(names)}
    split = regex.compile("(" + "|".join(map(regex.escape, sorted(specials, key=len, reverse=True))) + ")")
    rows = []
    for t in TEXTS:
        ids = []
        for part in split.split(unicodedata.normalize("NFC", t)):
            ids += [specials[part]] if part in specials else tiktoken_encode(ranks, part)
        rows.append({"ids": ids, "ends": None, "plain": None, "skip": None})
    write("reference", "qwen.tiktoken.json.gz", {"versions": VERSIONS, "rows": rows})
    print("qwen.tiktoken", len(ranks))


def bytes_and_chars():
    bs = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    cs = bs[:]
    for b in range(256):
        if b not in bs:
            bs.append(b)
            cs.append(256 + len(cs) - 188)
    return bs, [chr(c) for c in cs]


# The real models. A GGUF's pre-tokeniser "smollm" means single digits, then GPT-2's pattern (llama.cpp,
# src/llama-vocab.cpp). Gemma's vocabulary has no merges: they follow from the order of its tokens, as in
# transformers' integrations/gguf/gguf_tokenizer_mapping.py, which also writes its runs of spaces with ▁.
def gguf_fields(path):
    from gguf import GGUFReader
    reader = GGUFReader(path)
    return {k: f.contents() for k, f in reader.fields.items() if k.startswith("tokenizer.")}


def added_of(fields):
    out = []
    for token, kind in zip(fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]):
        if kind in (3, 4) and token.strip(" "):
            out.append(AddedToken(token, special=kind == 3, normalized=False))
    return out


def smollm2(path):
    f = gguf_fields(path)
    vocab = {t: i for i, t in enumerate(f["tokenizer.ggml.tokens"])}
    tok = Tokenizer(models.BPE(vocab, [tuple(m.split(" ")) for m in f["tokenizer.ggml.merges"]]))
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False)])
    tok.decoder = decoders.ByteLevel()
    tok.add_tokens(added_of(f))
    return tok


def gemma3(path):
    f = gguf_fields(path)
    names = ["▁" * len(t) if t and not t.strip(" ") else t for t in f["tokenizer.ggml.tokens"]]
    vocab = {t: i for i, t in enumerate(names)}
    merges = []
    for i, t in enumerate(names):
        merges += [(i, -k, t[:k], t[k:]) for k in range(1, len(t)) if t[:k] in vocab and t[k:] in vocab]
    tok = Tokenizer(models.BPE(vocab, [(a, b) for _, _, a, b in sorted(merges)], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tok.normalizer = normalizers.Replace(" ", "▁")
    tok.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tok.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tok.add_tokens(added_of(f))
    tok.post_processor = template(["<bos>"], [], tok)
    return tok


def real(folder):
    for name, make, file in (("smollm2", smollm2, "SmolLM2-135M-Instruct.Q4_1.gguf"), ("gemma3", gemma3, "gemma-3-270m.Q4_K_M.gguf")):
        tok = make(os.path.join(folder, file))
        write("reference", name + ".json.gz", {"versions": VERSIONS, "rows": reference(tok)})
        print(name, tok.get_vocab_size())


USERS = ["<|im_end|>", "▁▁", "ing", "ﬁ", "\n"]
SPM = {
    "spm_llama": train_spm(model_type="bpe", vocab_size=900, byte_fallback=True, character_coverage=0.98, normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True, allow_whitespace_only_pieces=True),
    "spm_gemma": train_spm(model_type="bpe", vocab_size=900, byte_fallback=True, character_coverage=0.98, normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=False, allow_whitespace_only_pieces=True),
    "spm_unigram": train_spm(model_type="unigram", vocab_size=900, character_coverage=0.98, normalization_rule_name="nmt_nfkc"),
    "spm_users": train_spm(model_type="unigram", vocab_size=900, character_coverage=0.98, normalization_rule_name="nmt_nfkc", remove_extra_whitespaces=False, user_defined_symbols=USERS),
    "spm_users_bpe": train_spm(model_type="bpe", vocab_size=900, character_coverage=0.98, byte_fallback=True, normalization_rule_name="identity", user_defined_symbols=USERS),
    "spm_bytes": train_spm(model_type="unigram", vocab_size=900, character_coverage=0.98, byte_fallback=True, normalization_rule_name="nfkc"),
}


def small():
    save("gpt2", byte_level([], ["<|endoftext|>"], use_regex=True))
    save("smollm", byte_level([], ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>"], use_regex=True, digits=True))
    qwen = byte_level([QWEN2], ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], normalizer=normalizers.NFC())
    qwen.add_tokens([AddedToken("<tool_call>", normalized=False), AddedToken("<think>", normalized=False)])
    save("qwen2", qwen)
    tiktoken(qwen)
    save("llama3", byte_level([LLAMA3], ["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"], ignore_merges=True, bos="<|begin_of_text|>"))
    save("cl100k", byte_level([CL100K], ["<|endoftext|>"], prefix_space=True))
    save("o200k", byte_level([O200K], ["<|endoftext|>"]))
    save("deepseek", byte_level(DEEPSEEK, ["<｜begin▁of▁sentence｜>"], bos="<｜begin▁of▁sentence｜>"))
    save("llama1", pieces("prepend", []))
    save("phi3", pieces("prepend", special("<|endoftext|>") + special("<|assistant|>", "<|user|>", "<|system|>", "<|end|>", rstrip=True)))
    save("mistral", pieces("first", special("[INST]", "[/INST]")))
    save("gemma", pieces("gemma", special("<bos>", "<start_of_turn>", "<end_of_turn>") + [AddedToken("\n" * n, normalized=False) for n in range(1, 32)] + [AddedToken(t, normalized=False) for t in ("<b>", "</b>", "<table>")]))
    save("unigram", unigram(False))
    save("unigram_bytes", unigram(True))
    save("sink", sink())
    save("suffix", suffixed())
    for name in ("removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"):
        save("split_" + name, behavior(name))
    save("split_inverted", behavior("merged_with_next", True))
    for name, model in SPM.items():
        write("vocab", name + ".model.gz", model)
        write("reference", name + ".json.gz", {"versions": VERSIONS, "rows": spm_reference(model)})
        print(name, len(model))


if __name__ == "__main__":
    small()
    if len(sys.argv) > 1:
        real(sys.argv[1])
