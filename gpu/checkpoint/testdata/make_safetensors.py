"""Writes dtypes.safetensors and dtypes.json: one small tensor of each stored type.

The JSON holds, for each tensor, the bit patterns of its values converted to float32 by
PyTorch; the Go test compares bits. Then the SHA-256 of all float16 numbers but the NaNs as
float32, and [float32, float16, bfloat16] bits of values that are hard to round.

Made with: torch 2.15.0, safetensors 0.8.0, numpy 2.4.6, Python 3.11
Run: python make_safetensors.py
"""
import hashlib
import json
import pathlib

import numpy as np
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
half = np.arange(65536, dtype=np.uint16).view(np.float16).astype(np.float32)
# Rounding: random bits, and the middle between neighbouring float16 and bfloat16 numbers,
# exactly, one step below and one step above.
rng = np.random.default_rng(1)
random = rng.integers(0, 1 << 32, 60, dtype=np.uint64).astype(np.uint32).view(np.float32)
h = np.sort(half[np.isfinite(half)])
i = np.concatenate([rng.integers(0, len(h) - 1, 60), len(h) // 2 + rng.integers(-300, 300, 40)])
mid16 = ((h[i].astype(np.float64) + h[i + 1]) / 2).astype(np.float32)
midb = ((rng.integers(0, 1 << 16, 40, dtype=np.uint32) << 16) | 0x8000).view(np.float32)
mid = np.concatenate([mid16, midb])
up, down = np.nextafter(mid, np.float32(np.inf)), np.nextafter(mid, np.float32(-np.inf))
some = np.concatenate([random, mid, up, down, np.float32([65519, 65520, -65536, 1e30, 0, -0.0, 3.4e38])])
some = some[~np.isnan(some)]
with np.errstate(over="ignore"):
    f16 = some.astype(np.float16).view(np.uint16)
bf16 = torch.from_numpy(some.copy()).bfloat16().view(torch.int16).numpy().view(np.uint16)
with open(here / "dtypes.json", "w") as f:
    json.dump(
        {
            "tensors": bits,
            "half_sha256": hashlib.sha256(half.view(np.uint32)[~np.isnan(half)].astype("<u4").tobytes()).hexdigest(),
            "rounded": [[int(v) for v in row] for row in zip(some.view(np.uint32), f16, bf16)],
        },
        f,
        separators=(",", ":"),
    )
