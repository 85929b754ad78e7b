"""The codec against the public vectors, and against input that nobody should send."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest

from pvm.errors import CodecError
from pvm.jam.block import (
    AvailAssurance,
    Block,
    DisputesExtrinsic,
    Extrinsic,
    Header,
    Preimage,
    ReportGuarantee,
    TicketEnvelope,
)
from pvm.jam.codec import Blob, Reader, codec, decode, encode_natural
from pvm.jam.constants import PARAMETERS, TINY
from pvm.jam.types import RefineContext, TicketBody, WorkItem, WorkPackage, WorkReport, WorkResult
from tests.pvm.jam.archives import members

KINDS: dict[str, Any] = {
    "assurances_extrinsic": tuple[AvailAssurance, ...], "block": Block, "disputes_extrinsic": DisputesExtrinsic,
    "extrinsic": Extrinsic, "guarantees_extrinsic": tuple[ReportGuarantee, ...], "header_0": Header, "header_1": Header,
    "preimages_extrinsic": tuple[Preimage, ...], "refine_context": RefineContext,
    "tickets_extrinsic": tuple[TicketEnvelope, ...], "work_item": WorkItem, "work_package": WorkPackage,
    "work_report": WorkReport, "work_result_0": WorkResult, "work_result_1": WorkResult,
}  # fmt: skip


def test_vectors_of_the_codec() -> None:
    files = dict(members("codec/codec"))
    seen = 0
    for name, data in files.items():
        if not name.endswith(".bin"):
            continue
        _, parameters, file = name.split("/")
        kind = codec(KINDS[file[:-4]], PARAMETERS[parameters])
        value = kind.decode(data)
        assert kind.encode(value) == data, name
        assert kind.to_json(value) == json.loads(files[name[:-4] + ".json"]), name
        seen += 1
    assert seen == 30


@pytest.mark.parametrize("value", [0, 1, 127, 128, 2**14 - 1, 2**14, 2**21, 2**28 - 1, 2**56 - 1, 2**56, 2**64 - 1])
def test_naturals_have_one_encoding(value: int) -> None:
    data = encode_natural(value)
    reader = Reader(data)
    assert reader.natural() == value
    assert reader.position == len(data)


@pytest.mark.parametrize("data", ["8000", "807f", "c00000", "ff" + "00" * 8, "ffffffffffffff0000", "80", "", "ff00"])
def test_other_encodings_of_naturals_are_refused(data: str) -> None:
    with pytest.raises(CodecError):
        Reader(bytes.fromhex(data)).natural()


def test_errors_say_the_path() -> None:
    _, block = next(item for item in members("codec/codec", "tiny/block.bin"))
    for size in (0, 1, 31, 100, len(block) // 2, len(block) - 1):
        with pytest.raises(CodecError) as error:
            decode(Block, block[:size], TINY)
        assert error.value.path.startswith(("header", "extrinsic"))
    with pytest.raises(CodecError, match="1 octets left over"):
        decode(Block, block + b"\0", TINY)


def test_a_huge_count_is_refused_before_anything_is_made() -> None:
    with pytest.raises(CodecError, match="items"):
        codec(tuple[TicketBody, ...], TINY).decode(b"\xff" * 9 + bytes(100))
    with pytest.raises(CodecError, match="octets needed"):
        codec(Annotated[bytes, Blob()], TINY).decode(b"\xff" * 9 + bytes(100))


def test_sequences_have_a_limit_where_the_reader_has() -> None:
    reader = Reader(encode_natural(5) + bytes(5 * 33), most=4)
    with pytest.raises(CodecError, match="4 are taken at most"):
        codec(tuple[TicketBody, ...], TINY).read(reader)


def test_octets_that_no_discriminator_has() -> None:
    with pytest.raises(CodecError, match="0 or 1"):
        codec(TicketBody | None, TINY).decode(b"\2" + bytes(33))
    with pytest.raises(CodecError, match="0 or 1"):
        codec(bool, TINY).decode(b"\2")
