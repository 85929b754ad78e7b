"""`python -m wasm_host.api FILE`: writes the API reference."""

from __future__ import annotations

import sys
from pathlib import Path

from pvm.errors import PvmError
from wasm_host.api import api_page


def main(arguments: list[str]) -> int:
    """0 when the page is written, 2 for bad usage, 1 without pdoc or where the file cannot be written."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m wasm_host.api FILE", file=sys.stderr)
        return 2
    try:
        text = api_page()
        Path(arguments[0]).write_text(text, encoding="utf-8")
    except (PvmError, OSError) as error:
        print(f"pvm: {error}", file=sys.stderr)
        return 1
    print(f"{arguments[0]}: {len(text.encode()):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
