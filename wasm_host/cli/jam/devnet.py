"""`pvm jam devnet`: a small network in one process."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from pvm.errors import InputError
from pvm.jam.chain import Chain
from pvm.jam.codec import encode
from pvm.jam.constants import PARAMETERS
from pvm.jam.hashing import blake2b
from wasm_host.cli.engines import json_option
from wasm_host.cli.failures import SUCCESS
from wasm_host.cli.jam.options import make_host, parameters_option, points_option
from wasm_host.cli.output import Bar, console, counted, print_json, tracked
from wasm_host.node.authoring import Author, encode_genesis, encode_step, first_state, keys_from_seed
from wasm_host.node.points import ring_points


@click.command("devnet")
@click.option("--slots", type=click.IntRange(1, 1_000_000), default=36, show_default=True, metavar="N",
              help="Author the blocks of N slots.")  # fmt: skip
@click.option("--tickets", type=click.IntRange(0, 16), default=2, show_default=True, metavar="N",
              help="Submit up to N tickets a block; a proof takes a second.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Write genesis and steps, which `pvm jam import` takes.")  # fmt: skip
@parameters_option
@points_option
@json_option
def command(
    slots: int, tickets: int, out: Path | None, parameters: str, points: Path | None, as_json: bool
) -> int:
    """Author and import a chain of one's own: validators with known seeds, their seals, tickets and assurances.

    Every block is signed and then imported like any other. With enough tickets an epoch's blocks are sealed by tickets
    two epochs later, otherwise by fallback keys.

    \b
    Examples:
      pvm jam devnet --slots 12 --tickets 0
      pvm jam devnet --slots 40 --out chain
    """
    host = make_host(parameters, points)
    c = PARAMETERS[parameters]
    author = Author(host, [keys_from_seed(index) for index in range(c.validators)], ring_points(points))
    header, state = first_state(host)
    parent = blake2b(encode(header, c))
    chain = Chain(host, parent, 0, state, [])
    _write(out, "genesis.bin", encode_genesis(header, state))
    rows: list[dict[str, Any]] = []
    for slot in tracked(range(1, slots + 1), Bar("Slots", slots)):
        block = author.block(state, parent, slot, author.tickets(state, slot, tickets), min(c.validators, 16))
        if block is None:
            raise InputError(f"slot {slot} belongs to nobody here")
        start = time.perf_counter()
        imported = chain.import_block(block)
        root = imported.state.root
        seconds = time.perf_counter() - start
        _write(out, f"{slot:08}.bin", encode_step(state, block, imported.state))
        is_ticketed = imported.state.gamma.gamma_s.tickets is not None
        rows.append({"slot": slot, "sealed_by": "ticket" if is_ticketed else "key", "seconds": seconds,
                     "tickets": len(imported.state.gamma.gamma_a), "root": root.hex()})  # fmt: skip
        state, parent = imported.state, imported.hash
    if as_json:
        print_json({"parameters": parameters, "blocks": rows})
        return SUCCESS
    by_ticket = sum(row["sealed_by"] == "ticket" for row in rows)
    console().print(
        f"{counted(len(rows), 'block')} authored and imported, {by_ticket} sealed by tickets; root {rows[-1]['root']}"
    )
    return SUCCESS


def _write(folder: Path | None, name: str, data: bytes) -> None:
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    except OSError as error:
        raise InputError(f"{folder / name}: {error.strerror}") from None
