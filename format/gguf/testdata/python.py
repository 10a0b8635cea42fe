"""Writes foreign.gguf with the package gguf: a value of each kind, lists, a tensor of each stored
type, aligned at 64 bytes. Then python.json: what gguf's reader sees in it and in ours.gguf, which
`go test ./format/gguf -update` writes, and the sizes of blocks.

Recorded with the versions that python.json names.
Run: python python.py
"""
import hashlib
import importlib.metadata
import json
import pathlib
import sys

import gguf
import numpy as np

here = pathlib.Path(__file__).parent


def write_foreign():
    w = gguf.GGUFWriter(here / "foreign.gguf", "test")
    w.add_custom_alignment(64)
    w.add_uint8("u8", 255)
    w.add_int8("i8", -128)
    w.add_uint16("u16", 65535)
    w.add_int16("i16", -32768)
    w.add_uint32("u32", 4294967295)
    w.add_int32("i32", -2147483648)
    w.add_uint64("u64", 18446744073709551615)
    w.add_int64("i64", -9223372036854775808)
    w.add_float32("f32", 0.1)
    w.add_float64("f64", 0.1)
    w.add_bool("yes", True)
    w.add_bool("no", False)
    w.add_string("text", "ü ♪")
    w.add_array("texts", ["", "a", "bc ♪"])
    w.add_array("ints", [1, -2, 1 << 30])
    w.add_array("floats", [0.5, -0.25, 1e-40])
    w.add_array("lists", [[1, 2], [3]])
    rng = np.random.default_rng(5)
    for kind, (values, size) in gguf.GGML_QUANT_SIZES.items():
        raw = rng.integers(0, 256, (3, 2, size), dtype=np.uint8)
        if values == 1:  # the writer takes plain types as they are
            plain = {"F32": np.float32, "F16": np.float16, "F64": np.float64, "I8": np.int8, "I16": np.int16, "I32": np.int32, "I64": np.int64}
            if kind.name in plain:
                raw = rng.integers(0, 100, (3, 2, 5)).astype(plain[kind.name])
        w.add_tensor(f"{kind.name}.weight", raw, raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def seen(name):
    r = gguf.GGUFReader(here / name)
    fields = {}
    for key, field in r.fields.items():
        if not key.startswith("GGUF."):
            fields[key] = {"kinds": [t.name for t in field.types], "value": field.contents()}
    tensors = {}
    for t in r.tensors:
        data = np.ascontiguousarray(t.data).view(np.uint8).tobytes()
        tensors[t.name] = {"type": t.tensor_type.name, "shape": [int(n) for n in reversed(t.shape)], "offset": int(t.data_offset), "size": int(t.n_bytes),
                           "sha256": hashlib.sha256(data).hexdigest()}  # fmt: skip
    return {"fields": fields, "tensors": tensors}


def main():
    write_foreign()
    out = {
        "versions": {"python": sys.version.split()[0], "gguf": importlib.metadata.version("gguf"), "numpy": np.__version__},
        "blocks": {kind.name: [int(kind), values, size] for kind, (values, size) in gguf.GGML_QUANT_SIZES.items()},
        "foreign.gguf": seen("foreign.gguf"),
        "ours.gguf": seen("ours.gguf"),
    }
    with open(here / "python.json", "w") as f:
        json.dump(out, f, indent=1, sort_keys=True, ensure_ascii=False)
        f.write("\n")


if __name__ == "__main__":
    main()
