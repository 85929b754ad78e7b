"""Builds the service, lets it refine and accumulate, and looks at what it stored; runs with Python or pytest."""

import json
import subprocess
from pathlib import Path

HERE = Path(__file__).parent


def pvm(*args: str) -> object:
    return json.loads(subprocess.run(["pvm", *args, "--json"], cwd=HERE, check=True, capture_output=True).stdout)


def test_a_key_is_stored() -> None:
    pvm("cc", "service.c", "-o", "service.jam", "--metadata", "NAME")
    payload = bytes([3, 2, 0]) + b"key" + b"ok"
    found = pvm("jam", "accumulate", "service.jam", "--payload", payload.hex())
    assert b"ok".hex() in json.dumps(found)


if __name__ == "__main__":
    test_a_key_is_stored()
    print("ok")
