"""`pvm cc` of Rust, where a rustc with the sources of its library is ($RUSTC names it); what is said where none is."""

from __future__ import annotations

import json
import os

import pytest

from pvm.errors import InputError
from tests.wasm_host.cc.test_cc import needs_zig
from wasm_host.cc.rust import find_rust


def _has_rust() -> bool:
    try:
        find_rust()
    except InputError:
        return False
    return True


SOURCE = """
#![no_std]
extern crate alloc;
use alloc::{alloc::{GlobalAlloc, Layout}, collections::BTreeMap, format};

#[repr(C)]
pub struct Octets { data: *const u8, length: usize }
extern "C" {
    fn pvm_print(text: *const u8);
    fn pvm_panic() -> !;
    fn malloc(n: usize) -> *mut u8;
    fn free(block: *mut u8);
}
struct Heap;
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 { malloc(layout.size()) }
    unsafe fn dealloc(&self, block: *mut u8, _: Layout) { free(block) }
}
#[global_allocator]
static HEAP: Heap = Heap;
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! { unsafe { pvm_panic() } }

#[no_mangle]
pub extern "C" fn refine(arguments: *const u8, length: usize) -> Octets {
    let octets = unsafe { core::slice::from_raw_parts(arguments, length) };
    let mut counts = BTreeMap::new();
    for octet in octets { *counts.entry(*octet).or_insert(0u32) += 1; }
    let mean = octets.iter().map(|&octet| octet as f64).sum::<f64>() / length as f64;
    let text = format!("{counts:?}, mean {mean:.3}\\0");
    unsafe { pvm_print(text.as_ptr()) };
    if octets[0] == 9 { panic!("no nines"); }
    Octets { data: arguments, length: counts.len() }
}
"""


@needs_zig
@pytest.mark.skipif(not _has_rust(), reason="no rustc with the sources of its library (rust-src)")
def test_rust_with_core_and_alloc(pvm, tmp_path):
    source, program = tmp_path / "count.rs", tmp_path / "count.pvm"
    source.write_text(SOURCE)
    result = pvm("cc", source, "-o", program)
    assert result.status == 0, result.stderr
    ran = pvm("run", program, "--json", "--args", "0301030203ff")
    found = json.loads(ran.text)
    assert (found["status"], found["result"]) == ("halt", "03010302")
    assert "log info: {1: 1, 2: 1, 3: 3, 255: 1}, mean 44.500" in ran.stderr
    assert json.loads(pvm("run", program, "--json", "--args", "09").text)["status"] == "panic"
    source.write_text("fn broken( {}\n")
    result = pvm("cc", source, "-o", program)
    assert result.status == 2 and "count.rs: error: " in result.stderr.splitlines()[-1]


@needs_zig
def test_without_rustc_it_says_what_is_missing(bad_input, tmp_path, monkeypatch):
    source = tmp_path / "x.rs"
    source.write_text("")
    monkeypatch.setenv("RUSTC", os.fspath(tmp_path / "no-such-rustc"))
    bad_input(("cc", source, "-o", tmp_path / "out"), "rustc and the sources of its library are needed")
    other = tmp_path / "rustc"
    other.write_text("#!/bin/sh\necho hello\n")
    other.chmod(0o755)
    monkeypatch.setenv("RUSTC", os.fspath(other))
    bad_input(("cc", source, "-o", tmp_path / "out"), "does not say its version")
    bad_input(("cc", tmp_path / "none.rs", "-o", tmp_path / "out"), "none.rs: no such file")
