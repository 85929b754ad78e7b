"""A peer's cases of single host calls, read into our contexts.

They are of the peer's own make: thresholds and footprints are given as they please, and hashes need not be those of
what they name. So an account's threshold is made what the case says by `base_deposit`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pvm
from pvm.jam.accounts import Account, Accounts, encode_slots
from pvm.jam.constants import TINY
from pvm.jam.context import AccumulateContext
from pvm.jam.host_calls.fetchable import Fetchable, encode_constants, summary_of
from pvm.jam.host_calls.handlers import handlers
from pvm.jam.host_calls.table import by_number
from pvm.jam.invocations import ACCUMULATE
from pvm.jam.partial_state import PartialState, Privileges
from pvm.jam.state_keys import account_key, preimage_key, request_key, storage_key
from pvm.program import assemble
from tests.pvm.jam.archives import members

GAS = 1_000_000
ENTRIES = ("code_hash", "balance", "gas_limit_accumulate", "gas_limit_on_transfer", "footprint_storage_bytes")
_PROGRAM = assemble(".code\n trap\n")
_ITEM = dict.fromkeys(("service", "refine_gas_limit", "accumulate_gas_limit", "export_count"), 0)


@dataclass
class Done:
    """What became of a case."""

    machine: Any
    reason: pvm.Reason | None
    context: AccumulateContext


def cases(archive: str) -> list[tuple[str, dict[str, Any]]]:
    """Names and cases of one of the two archives, "general" or "accumulate"."""
    found = ((Path(name).stem, json.loads(data)) for name, data in members(f"hostcalls/{archive}", ".json"))
    return [(name, case) for name, case in found]


def run(case: dict[str, Any]) -> Done:
    """Make the case's one call."""
    machine = pvm.ReferenceEngine().instantiate(_PROGRAM, gas=case.get("gas", GAS))
    for page in case["initial-page-map"]:
        machine.memory.map(page["address"], page["length"], "rw" if page["is-writable"] else "r")
    for chunk in case["initial-memory"]:
        machine.memory.write(chunk["address"], bytes(chunk["contents"]))
    machine.registers = padded(case["initial-registers"])
    context = context_of(case)
    name = case["hostcall"].removeprefix("hc_")
    number = next(number for number, row in by_number("0.7.2").items() if row.name == name)
    reason = handlers("0.7.2", ACCUMULATE, context)[number](machine)
    return Done(machine, reason, context)


def padded(registers: list[int]) -> list[int]:
    return registers + [0] * (13 - len(registers))


def context_of(case: dict[str, Any]) -> AccumulateContext:
    given = {key.replace("-", "_"): value for key, value in case.get("context", {}).items()}
    service = given.get("service_account_id", case.get("service_id", 42))
    infos = {int(key): value for key, value in given.get("services", {}).items()}
    if case.get("service_account"):
        infos[service] = case["service_account"]
    infos |= {int(number): info for number, info in (case.get("other_services") or {}).items()}
    for item in [*(case.get("storage_items") or []), *(case.get("preimages") or [])]:
        infos.setdefault(item["service_id"], {})
    if case["hostcall"] in ("hc_read", "hc_lookup", "hc_write"):
        infos.setdefault(service, {})
    values = {account_key(number): _account(info).encode() for number, info in infos.items()}
    for item in case.get("storage_items") or []:
        values[storage_key(item["service_id"], bytes.fromhex(item["hash"]))] = bytes.fromhex(item["value"])
    for item in case.get("preimages") or []:
        values[preimage_key(item["service_id"], bytes.fromhex(item["hash"]))] = bytes.fromhex(item["value"])
    for key, slots in given.get("preimage_availability", {}).items():
        number, digest, length = key.split(":")
        values[request_key(int(number), bytes.fromhex(digest), int(length))] = encode_slots(tuple(slots))
    base = Accounts(values)
    state = PartialState(base.layer(), _privileges(given), bytes(6 * 336), (bytes(80 * 32),) * 2)
    context = AccumulateContext(
        TINY, "0.7.2", base, state, service, given.get("timeslot", 0), bytes(32), _fetchable(case), None
    )
    asked = case["initial-registers"][7] if case["hostcall"] == "hc_info" else service
    own = base.account(asked if asked in infos else service)
    if own is not None:
        info = infos[asked if asked in infos else service]
        threshold = {key.replace("-", "_"): value for key, value in info.items()}.get("threshold_balance", 0)
        context.deposits = replace(TINY, base_deposit=threshold - 10 * own.items - own.octets)
    if "new_service_account_id" in given:
        context.next_id = given["new_service_account_id"]
    return context


def _account(info: dict[str, Any]) -> Account:
    info = {key.replace("-", "_"): value for key, value in info.items()}
    code_hash = info.get("code_hash", bytes(32))
    return Account(
        bytes.fromhex(code_hash) if isinstance(code_hash, str) else bytes(code_hash), info.get("balance", 1 << 40),
        info.get("gas_limit_accumulate", 0), info.get("gas_limit_on_transfer", 0),
        octets=info.get("footprint_storage_bytes", 0), items=info.get("footprint_storage_items", 0),
        gratis=info.get("gratis_storage_offset", 0), created=info.get("created", 0),
        accumulated=info.get("last_accumulated", 0), parent=info.get("parent", 0),
    )  # fmt: skip


def _privileges(given: dict[str, Any]) -> Privileges:
    found = given.get("privileged_services", {})
    sparse = {int(core): number for core, number in found.get("assigners_sparse", {}).items()}
    assigners = tuple(sparse.get(core, 0) for core in range(TINY.cores))
    return Privileges(found.get("manager", 0), found.get("delegator", 0), found.get("registrar", 0), assigners)


def _fetchable(case: dict[str, Any]) -> Fetchable:
    def lists(name: str) -> list[list[bytes]] | None:
        found = case.get(name)
        return None if found is None else [[bytes.fromhex(item) for item in each] for each in found]

    entropy, trace = case.get("entropy"), case.get("authorizer_output")
    inputs = case.get("accumulation_inputs")
    return Fetchable(
        encode_constants(TINY),
        None if entropy is None else bytes.fromhex(entropy),
        _package(case.get("work_package")),
        None if trace is None else bytes.fromhex(trace),
        case.get("work_item_index"),
        lists("work_item_segs"),
        lists("extrinsics"),
        None if inputs is None else [SimpleNamespace(encode=_encoded(one)) for one in inputs],  # type: ignore[misc]
    )


def _encoded(one: dict[str, Any]) -> Any:
    return lambda: bytes.fromhex(one["encoded"])


def _package(given: dict[str, Any] | None) -> Any:
    if given is None:
        return None

    def octets(name: str) -> bytes:
        return bytes.fromhex(given.get(name, ""))

    items = [SimpleNamespace(**(_ITEM | item)) for item in given.get("items", [])]
    for item in items:
        item.code_hash, item.payload = bytes.fromhex(item.code_hash), bytes.fromhex(item.payload)
    return SimpleNamespace(
        encoded=octets("encoded"), config=octets("authorizer"), token=octets("authorization"),
        context=octets("context"), summaries=[summary_of(item) for item in items],
        payloads=[item.payload for item in items],
    )  # fmt: skip
