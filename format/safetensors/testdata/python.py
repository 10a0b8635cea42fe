"""Writes foreign.safetensors with the package safetensors and torch: a tensor of each stored type,
a scalar, an empty one, metadata. Then python.json: what safetensors sees in it and in
ours.safetensors, which `go test ./format/safetensors -update` writes; stored bytes in hexadecimal.

Recorded with the versions that python.json names.
Run: python python.py
"""
import json
import pathlib
import sys

import safetensors
import safetensors.torch
import torch

here = pathlib.Path(__file__).parent


def write_foreign():
    g = torch.Generator().manual_seed(3)
    x = torch.randn(3, 2, generator=g)
    integers = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint64, torch.uint32, torch.uint16, torch.uint8, torch.bool]
    floats = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64]
    small = [torch.float8_e5m2, torch.float8_e4m3fn, torch.float8_e8m0fnu, torch.float8_e5m2fnuz, torch.float8_e4m3fnuz]
    tensors = {str(d).removeprefix("torch."): (x.abs() * 50 if d in integers else x).to(d) for d in integers + floats + small}
    tensors |= {"scalar": torch.tensor(2.5), "empty": torch.zeros(0, 4), "ü <♪> \"quoted\"": x.clone()}
    safetensors.torch.save_file(tensors, here / "foreign.safetensors", metadata={"made": "by torch", "a<b>&": "ü\n\u2028"})


def seen(name):
    """The header as it stands and each tensor's bytes as the library hands them out."""
    raw = (here / name).read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    out = {"tensors": {}}
    with safetensors.safe_open(here / name, "pt") as f:
        out["metadata"] = f.metadata()
        for key in f.keys():
            t = f.get_tensor(key)
            stored = t.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if t.numel() else b""
            out["tensors"][key] = {"dtype": f.get_slice(key).get_dtype(), "shape": list(t.shape), "offsets": header[key]["data_offsets"], "bytes": stored.hex()}
            if t.dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
                out["tensors"][key]["float32"] = [int(v) & 0xFFFFFFFF for v in t.float().reshape(-1).view(torch.int32)]
    return out


def main():
    write_foreign()
    out = {
        "versions": {"python": sys.version.split()[0], "safetensors": safetensors.__version__, "torch": torch.__version__},
        "foreign.safetensors": seen("foreign.safetensors"),
        "ours.safetensors": seen("ours.safetensors"),
    }
    with open(here / "python.json", "w") as f:
        json.dump(out, f, indent=1, sort_keys=True, ensure_ascii=False)
        f.write("\n")


if __name__ == "__main__":
    main()
