"""Reads the golden tables with pyarrow, as a file and as a stream, and records what it sees
in tables.json. Run in this folder after `go test ./artifacts -update`:

    python check_tables.py

Recorded with the versions that tables.json names.
"""

import json
import math
import pathlib
import sys

import pyarrow as pa
import pyarrow.ipc


def plain(value):
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def main():
    seen = {"versions": {"python": sys.version.split()[0], "pyarrow": pa.__version__}}
    for path in sorted(pathlib.Path(".").glob("*.golden")):
        table = pa.ipc.open_file(path).read_all()
        table.validate(full=True)
        stream = pa.ipc.open_stream(path.read_bytes()[8:]).read_all()
        rows = [{k: plain(v) for k, v in row.items()} for row in table.to_pylist()]
        assert rows == [{k: plain(v) for k, v in row.items()} for row in stream.to_pylist()], path
        seen[path.stem] = {
            "facts": {k.decode(): v.decode() for k, v in table.schema.metadata.items()},
            "columns": [f"{f.name} {f.type}" for f in table.schema],
            "nullable": any(f.nullable for f in table.schema),
            "rows": rows,
        }
    pathlib.Path("tables.json").write_text(json.dumps(seen, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
