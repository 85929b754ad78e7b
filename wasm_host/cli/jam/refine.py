"""`pvm jam refine`: a service refines a work item."""

from __future__ import annotations

import click

from pvm.jam.inputs import WorkError
from pvm.jam.testing.outcome import shown
from wasm_host.cli.engines import json_option, no_cache_option, spec_option, tier_option
from wasm_host.cli.failures import FAILURE, SUCCESS
from wasm_host.cli.inputs import number_type
from wasm_host.cli.jam.options import parameters_option
from wasm_host.cli.jam.services import (
    VALUE,
    make_world,
    read_value,
    record_option,
    run_as_dict,
    state_option,
    write_records,
)
from wasm_host.cli.output import console, print_json


@click.command("refine")
@click.argument("service")
@click.option("--payload", metavar=VALUE, default="", help="The item's payload. [default: none]")
@click.option("--extrinsic", "extrinsics", metavar=VALUE, multiple=True, help="An extrinsic of the item; repeatable.")
@click.option("--import", "imports", metavar=VALUE, multiple=True, help="An imported segment; repeatable.")
@click.option("--trace", "authorizer_trace", metavar=VALUE, default="", help="What the authorizer returned.")
@click.option("--core", type=number_type(16), metavar="N", default="0", show_default=True, help="The core.")
@click.option("--gas", type=number_type(64), metavar="N", help="The item's limit. [default: a package's]")
@state_option
@record_option
@parameters_option
@tier_option
@spec_option
@no_cache_option
@json_option
def command(
    service: str, payload: str, extrinsics: tuple[str, ...], imports: tuple[str, ...], authorizer_trace: str, core: int,
    gas: int | None, state: str | None, record: str | None, parameters: str, tier: str, spec: str, no_cache: bool,
    as_json: bool,
) -> int:  # fmt: skip
    """Let SERVICE refine a work item, and show the output, exports and logs.

    SERVICE is a service's preimage, a standard program, assembly (.pvmasm), example:key_value, example:runner, or a
    number with --state. It is the only item of a package whose lookup anchor is the present. The exit status is 1 if
    there is no output; then it is shown where the run failed, with the last host calls.

    \b
    Examples:
      pvm jam refine example:key_value --payload 01010061ff --json
      pvm jam refine service.jam --payload @payload.bin --record refine.log
    """
    _, deployed = make_world(service, state, spec, parameters, tier, no_cache)
    done = deployed.refine(
        read_value(payload, "--payload"), [read_value(one, "--extrinsic") for one in extrinsics],
        [read_value(one, "--import") for one in imports], gas, None, core, read_value(authorizer_trace, "--trace"),
    )  # fmt: skip
    write_records(record, [done.run])
    result = done.result
    if as_json:
        print_json({
            "service": deployed.id, "result": None if isinstance(result, WorkError) else result.hex(),
            "error": result.name.lower() if isinstance(result, WorkError) else None, "gas_used": done.gas_used,
            "exports": [segment.hex() for segment in done.exports], "run": run_as_dict(done.run),
        })  # fmt: skip
        return SUCCESS if done.is_ok else FAILURE
    out = console()
    for line in done.logs:
        out.print(line, soft_wrap=True)
    out.print(str(done.run) if done.run.invoked else f"{done.run.what}: not run", soft_wrap=True)
    out.print(
        f"error: {result.name.lower()}" if isinstance(result, WorkError) else f"output: {shown(result)}",
        soft_wrap=True,
    )
    for index, segment in enumerate(done.exports):
        out.print(f"export {index}: {shown(segment)}", soft_wrap=True)
    return SUCCESS if done.is_ok else FAILURE
