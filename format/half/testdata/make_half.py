"""Writes half.json: the SHA-256 of all binary16 numbers but the NaNs as float32, and
[float32, binary16, bfloat16] bits of values that are hard to round.

Made with the versions that half.json names.
Run: python make_half.py
"""
import hashlib
import json
import pathlib
import sys

import numpy as np
import torch

here = pathlib.Path(__file__).parent
half = np.arange(65536, dtype=np.uint16).view(np.float16).astype(np.float32)
# Rounding: random bits, and the middle between neighbouring binary16 and bfloat16 numbers,
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
with open(here / "half.json", "w") as f:
    json.dump(
        {
            "versions": {"python": sys.version.split()[0], "numpy": np.__version__, "torch": torch.__version__},
            "half_sha256": hashlib.sha256(half.view(np.uint32)[~np.isnan(half)].astype("<u4").tobytes()).hexdigest(),
            "rounded": [[int(v) for v in row] for row in zip(some.view(np.uint32), f16, bf16)],
        },
        f,
        separators=(",", ":"),
    )
