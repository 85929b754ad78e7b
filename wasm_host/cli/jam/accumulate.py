"""`pvm jam accumulate`: a service accumulates, and what that changes."""

from __future__ import annotations

import json
from typing import Any

import click

from pvm.errors import InputError
from pvm.jam.inputs import WorkResult
from pvm.jam.testing import Change, Invocation, Refinement, Service
from pvm.jam.testing.outcome import Outcome
from pvm.jam.testing.runs import Run
from pvm.jam.testing.state_file import read_transfers, world_as_dict
from wasm_host.cli.engines import json_option, no_cache_option, spec_option, tier_option
from wasm_host.cli.failures import FAILURE, SUCCESS, blamed_on
from wasm_host.cli.inputs import number_type, read_text
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
from wasm_host.cli.output import console, print_json, report_written, write_output


@click.command("accumulate")
@click.argument("service")
@click.option("--payload", "payloads", metavar=VALUE, multiple=True,
              help="The payload of an item, which is refined first; repeatable.")  # fmt: skip
@click.option("--item", "items", metavar=VALUE, multiple=True,
              help="The output of an item, which is taken as it is; repeatable, and before --payload.")  # fmt: skip
@click.option("--transfers", metavar="FILE", help="Transfers: a JSON list of from, to, amount, gas, memo.")
@click.option("--gas", type=number_type(64), metavar="N", help="The limit of each item. [default: a report's]")
@click.option("--slot", type=number_type(32), metavar="N", help="The time. [default: the world's, or 100]")
@state_option
@click.option("--out", metavar="FILE", help="Write the world afterwards, as --state takes it.")
@record_option
@parameters_option
@tier_option
@spec_option
@no_cache_option
@json_option
def command(
    service: str, payloads: tuple[str, ...], items: tuple[str, ...], transfers: str | None, gas: int | None,
    slot: int | None, state: str | None, out: str | None, record: str | None, parameters: str, tier: str, spec: str,
    no_cache: bool, as_json: bool,
) -> int:  # fmt: skip
    """Let SERVICE accumulate items and transfers, round by round, and show what that changes.

    SERVICE is what `pvm jam refine` takes. Items and transfers are given as a block would; without any, the service
    accumulates with the gas of one item alone. The exit status is 1 if a run panicked or ran out of gas; then it is
    shown where.

    \b
    Examples:
      pvm jam accumulate example:key_value --payload 01010061ff --json
      pvm jam accumulate 65536 --state world.json --item text:output --out after.json
    """
    world, deployed = make_world(service, state, spec, parameters, tier, no_cache)
    if slot is not None:
        world.slot = slot
    limit = world.constants.report_accumulation_gas if gas is None else gas
    given = [_item(deployed, read_value(item, "--item"), limit) for item in items]
    for payload in payloads:
        given.append(deployed.refine(read_value(payload, "--payload"), accumulate_gas=limit))
    sent = _transfers(transfers)
    free = None if given or sent else {deployed.id: limit}
    done = world.accumulate(given, sent, free)
    write_records(record, [one.run for one in done.invocations])
    if out is not None:
        data = json.dumps(world_as_dict(world), indent=1).encode() + b"\n"
        write_output(out, data)
        report_written(out, len(data))
    failed = any(one.has_failed for one in done.invocations) or any(not item.is_ok for item in given)
    if as_json:
        print_json(_as_dict(given, done))
    else:
        _show(given, done)
    return FAILURE if failed else SUCCESS


def _item(service: Service, output: WorkResult, gas: int) -> Refinement:
    """An item whose output is given."""
    return Refinement(service, b"", output, (), 0, gas, Run(f"service {service.id}: refine", 0))


def _transfers(source: str | None) -> list[Any]:
    if source is None:
        return []
    text = read_text(source)
    with blamed_on(source):
        try:
            return list(read_transfers(json.loads(text), "transfers"))
        except (ValueError, RecursionError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError("no JSON") from None


def _show(items: list[Refinement], done: Outcome) -> None:
    out = console()
    for item in items:
        if not item.is_ok:
            out.print(str(item.run), soft_wrap=True)
    for one in done.invocations:
        for line in one.logs:
            out.print(line, soft_wrap=True)
        out.print(str(one.run), soft_wrap=True)
    if done.count < len(items):
        out.print(f"{len(items) - done.count} of {len(items)} items are beyond the gas of a block", soft_wrap=True)
    for transfer in done.transfers:
        sent = f"service {transfer.source} sends {transfer.amount} to {transfer.to}, with {transfer.gas} gas"
        out.print(sent, soft_wrap=True)
    for service, output in done.outputs:
        out.print(f"service {service} yields {output.hex()}", soft_wrap=True)
    for change in done.changes:
        out.print(str(change), soft_wrap=True)


def _as_dict(items: list[Refinement], done: Outcome) -> dict[str, Any]:
    return {
        "items": [run_as_dict(item.run) for item in items if item.run.invoked is not None],
        "accumulated": done.count,
        "runs": [_invocation(one) for one in done.invocations],
        "yields": [{"service": service, "hash": output.hex()} for service, output in done.outputs],
        "changes": [_change(change) for change in done.changes],
    }  # fmt: skip


def _invocation(one: Invocation) -> dict[str, Any]:
    return {
        "service": one.service, **run_as_dict(one.run), "gas_used": one.gas_used,
        "yielded": None if one.yielded is None else one.yielded.hex(),
        "transfers": [
            {"from": sent.source, "to": sent.to, "amount": sent.amount, "gas": sent.gas, "memo": sent.memo.hex()}
            for sent in one.transfers
        ],
        "provisions": [{"service": service, "data": data.hex()} for service, data in one.provisions],
    }  # fmt: skip


def _change(change: Change) -> dict[str, Any]:
    return {
        "service": change.service, "what": change.what, "before": _plain(change.before), "after": _plain(change.after),
    }  # fmt: skip


def _plain(value: Any) -> Any:
    """A value for JSON: octets in hexadecimal, accounts as objects."""
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "_asdict"):
        return {name: _plain(one) for name, one in value._asdict().items()}
    return list(value) if isinstance(value, tuple) else value
