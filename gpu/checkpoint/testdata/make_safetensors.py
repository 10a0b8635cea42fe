"""Writes dtypes.safetensors and dtypes.json: one small tensor of each stored type.

The JSON holds, for each tensor, the bit patterns of its values converted to float32 by
PyTorch; the Go test compares bits.

Made with: torch 2.15.0, safetensors 0.8.0, Python 3.11
Run: python make_safetensors.py
"""
import json
import pathlib

import torch
from safetensors.torch import save_file

here = pathlib.Path(__file__).parent
g = torch.Generator().manual_seed(1)
x = torch.randn(5, 3, generator=g)
tensors = {
    "f64": x.double() * 1.1,
    "f32": x,
    "f16": x.half(),
    "bf16": x.bfloat16(),
    "i64": torch.tensor([[1, -2], [1 << 24, -(1 << 40)]]),
    "i32": torch.tensor([7, -8, 123456789], dtype=torch.int32),
    "i16": torch.tensor([300, -300], dtype=torch.int16),
    "i8": torch.tensor([127, -128], dtype=torch.int8),
    "u8": torch.tensor([0, 255], dtype=torch.uint8),
    "bool": torch.tensor([True, False]),
    "scalar": torch.tensor(2.5),
    "empty": torch.zeros(0, 4),
}
save_file(tensors, here / "dtypes.safetensors", metadata={"made": "by torch", "alpha": "0.5"})
bits = {
    name: {"shape": list(t.shape), "bits": t.float().contiguous().view(torch.int32).flatten().tolist()}
    for name, t in tensors.items()
}
with open(here / "dtypes.json", "w") as f:
    json.dump({"tensors": bits}, f, separators=(",", ":"))
