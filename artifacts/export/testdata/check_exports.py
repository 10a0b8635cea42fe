"""Reads this package's golden exports with the reference readers and records what they
see in exports.json; writes foreign.* as other programs would. Run in this folder after
`go test ./artifacts/export -update`:

    python check_exports.py

Recorded with the versions that exports.json names.
"""

import importlib.metadata
import json
import sys

import gguf
import numpy as np
import safetensors
import safetensors.numpy


def seen_safetensors(path):
    with safetensors.safe_open(path, "np") as f:
        tensors = {k: f.get_tensor(k) for k in sorted(f.keys())}
        return {
            "metadata": f.metadata(),
            "tensors": {k: {"dtype": str(t.dtype), "shape": list(t.shape), "values": t.ravel().tolist()} for k, t in tensors.items()},
        }


def seen_gguf(path):
    r = gguf.GGUFReader(path)
    fields = {k: f.contents() for k, f in r.fields.items() if not k.startswith("GGUF.")}
    return {
        "metadata": fields,
        "layer_count_type": r.fields["controlvector.layer_count"].types[0].name,
        "tensors": {
            t.name: {"dtype": t.tensor_type.name, "shape": [int(n) for n in t.shape], "values": np.array(t.data, dtype=np.float32).ravel().tolist()}
            for t in r.tensors
        },
    }


def write_foreign():
    """A control vector as repeng 0.4 and llama.cpp's cvector-generator write one."""
    w = gguf.GGUFWriter("foreign.gguf", "controlvector")
    w.add_string("controlvector.model_hint", "llama")
    w.add_int32("controlvector.layer_count", 2)  # cvector-generator: int32; repeng: uint32
    w.add_array("general.tags", ["a", "b"])
    w.add_array("foreign.numbers", [1, 2, 3])
    w.add_tensor("direction.2", np.array([0.5, -0.5, 1e-3], dtype=np.float32))
    w.add_tensor("direction.1", np.array([3, 4, 0], dtype=np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    safetensors.numpy.save_file(
        {"direction.0": np.array([3, 4, 0], dtype=np.float32), "direction.10": np.array([1, 2, 3], dtype=np.float32)},
        "foreign.safetensors",
        metadata={"format": "np"},
    )
    # A map as numpy and scikit-learn leave one, in float64, its intercept in half precision.
    safetensors.numpy.save_file(
        {"w": np.array([[0.1, 2], [3, -4], [5, 1e-3]]), "intercept": np.array([0.5, -0.25], dtype=np.float16)},
        "foreign_map.safetensors",
    )


def main():
    write_foreign()
    seen = {
        "versions": {"python": sys.version.split()[0], "gguf": importlib.metadata.version("gguf"), "safetensors": safetensors.__version__, "numpy": np.__version__},
        "vector.safetensors": seen_safetensors("vector.safetensors"),
        "map.safetensors": seen_safetensors("map.safetensors"),
        "vector.gguf": seen_gguf("vector.gguf"),
        "vector.json": json.load(open("vector.json")),
        "map.json": json.load(open("map.json")),
    }
    with open("exports.json", "w") as f:
        json.dump(seen, f, indent=1, sort_keys=True, ensure_ascii=False)
        f.write("\n")


if __name__ == "__main__":
    main()
