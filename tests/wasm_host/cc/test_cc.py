"""`pvm cc` and `pvm link`: programs in C, C++, Zig and assembly, and how they run."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import wasm_host
from pvm.isa import GP_072, GP_080
from pvm.program import Program
from pvm_web.bridge import Bridge
from tests.web.test_bridge_open import ask
from wasm_host import Engine
from wasm_host.cc.header import calls_header

needs_zig = pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None and shutil.which("zig") is None,
    reason="no compiler: pip install ziglang",
)
pytestmark = needs_zig


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cc")


def build(pvm_command, folder: Path, source: str, *flags: str, suffix: str = ".c") -> Path:
    path = folder / f"prog{suffix}"
    path.write_text(source)
    result = pvm_command("cc", path, "-o", folder / "prog.pvm", *flags)
    assert result.status == 0, result.stderr
    return folder / "prog.pvm"


def run(pvm_command, program: Path, *options: str) -> dict:
    return json.loads(pvm_command("run", program, "--json", *options).text)


HELLO = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) printf("%d: %s\\n", i, argv[i]);
    if (argc > 1 && !strcmp(argv[1], "abort")) abort();
    if (argc > 1 && !strcmp(argv[1], "exit")) exit(-4);
    return argc;
}
"""


def test_a_program_prints_and_returns(pvm, folder):
    program = build(pvm, folder, HELLO)
    found = run(pvm, program, "--args", b"one\0two".hex())
    assert (found["status"], found["stdout"], found["exit_code"]) == ("halt", "1: one\n2: two\n", 3)
    found = run(pvm, program, "--args", b"exit".hex())
    assert (found["status"], found["stdout"], found["exit_code"]) == ("halt", "1: exit\n", -4)
    found = run(pvm, program, "--args", b"abort".hex())
    assert (found["status"], found["stdout"], found["exit_code"]) == ("panic", "1: abort\n", None)
    result = pvm("run", program, "--args", b"one".hex())
    assert result.status == 0 and result.text == "1: one\n" and "Exit code  2" in result.stderr


def test_a_trace_on_standard_output_has_it_alone(pvm, folder):
    result = pvm("run", build(pvm, folder, HELLO), "--args", b"one".hex(), "--trace", "-")
    assert "1: one" not in result.text and result.text.startswith("start pc=0 ")
    assert "1: one\n" in result.stderr


PRINTF = """
#include <stdio.h>
#include <float.h>
#include <limits.h>
int main(void) {
    printf("%d %5d|%-5d|%05d|%+d|% d|%x|%#x|%X|%o|%u|%c|%%\\n", -1, 42, 42, 42, 42, 42, 255, 255, 255, 8, -1, 'c');
    printf("%ld %lu %hd %hhd %zu %.3d %8.3d|%.0d|\\n", LONG_MIN, ULONG_MAX, 70000, 300, (size_t)7, 5, 5, 0);
    printf("%s|%10s|%-10s|%.2s|%*d|%-*d|\\n", "text", "text", "text", "text", 4, 7, 4, 7);
    double values[] = {0.0, -0.0, 1.0, 0.1, 123456789.0, 1e22, 1e-7, 2.5, 3.5, 0.5, 99999.95, DBL_MAX, DBL_MIN, 5e-324, 1.0 / 3};
    for (unsigned i = 0; i < sizeof values / sizeof *values; i++)
        printf("%f %.0f %.3e %g %.17g %G %10.2f|%-12.4g|%+.1f %#g %012.3f\\n", values[i], values[i], values[i], values[i],
               values[i], values[i], values[i], values[i], values[i], values[i], values[i]);
    return 0;
}
"""  # noqa: E501


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc to compare with")
def test_printf_prints_what_the_system_s_does(pvm, folder):
    found = run(pvm, build(pvm, folder, PRINTF, "-w"))
    native = folder / "native"
    subprocess.run(["gcc", "-w", folder / "prog.c", "-o", native], check=True)
    assert found["stdout"].splitlines() == subprocess.run([native], capture_output=True, text=True).stdout.splitlines()


LIBRARY = """
#include <assert.h>
#include <ctype.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <stdio.h>
static jmp_buf back;
static void deep(int n) { if (!n) longjmp(back, 7); deep(n - 1); }
static int order(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
static int ends;
static void at_end(void) { printf("end %d\\n", ++ends); }
int main(void) {
    int value = setjmp(back);
    if (!value) deep(20);
    assert(value == 7);
    char buffer[64], other[64];
    for (int n = 0; n < 40; n++) for (int at = 0; at < 8; at++) {
        memset(buffer, 'x', 64); memset(buffer + at, 'y', n < 50 ? n : 50); buffer[63] = 0;
        memcpy(other, buffer, 64); assert(!memcmp(other, buffer, 64));
        memmove(other + 3, other, 40); assert(!memcmp(other + 3, buffer, 40));
        memcpy(other, buffer, 64); memmove(other, other + 3, 40); assert(!memcmp(other, buffer + 3, 40));
        buffer[at + n] = 0; assert(strlen(buffer + at) == (size_t)n && strnlen(buffer + at, 5) == (n < 5 ? n : 5));
    }
    assert(!strcmp(strcat(strcpy(buffer, "ab"), "cd"), "abcd") && strcmp("a", "b") < 0 && strncmp("abc", "abd", 2) == 0);
    assert(strchr("hello", 'l')[1] == 'l' && strrchr("hello", 'l')[1] == 'o' && !strcmp(strstr("hello", "ll"), "llo"));
    assert(strspn("aab", "a") == 2 && strcspn("aab", "b") == 2 && !strpbrk("abc", "xyz"));
    assert(strtol("-0x1f", 0, 0) == -31 && strtoul("777", 0, 8) == 511 && strtol("99999999999999999999", 0, 10) == INT64_MAX);
    assert(strtod("1e3", 0) == 1000 && strtod("0.1", 0) == 0.1 && strtod("-2.5e-3x", 0) == -0.0025 && strtod("0x1.8p1", 0) == 3);
    int numbers[200];
    for (int i = 0; i < 200; i++) numbers[i] = rand() % 1000;
    qsort(numbers, 200, sizeof *numbers, order);
    for (int i = 1; i < 200; i++) assert(numbers[i - 1] <= numbers[i]);
    int key = numbers[77];
    assert(*(int *)bsearch(&key, numbers, 200, sizeof *numbers, order) == key);
    char *blocks[500];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 500; i++) { blocks[i] = malloc(i * 37 + 1); assert(blocks[i]); memset(blocks[i], i, i * 37 + 1); }
        for (int i = 0; i < 500; i++) {
            blocks[i] = realloc(blocks[i], i * 50 + 1);
            for (int k = 0; k < i * 37 + 1; k++) assert((uint8_t)blocks[i][k] == (uint8_t)i);
            free(blocks[i]);
        }
    }
    __int128 wide = (__int128)1 << 100;
    assert((uint64_t)(wide / 3 >> 32) == (uint64_t)(((__int128)1 << 100) / 3 >> 32) && wide % 7 == 2);
    assert(fabs(sin(1) - 0.8414709848078965) < 1e-15 && sqrt(2) * sqrt(2) - 2 < 1e-15 && floor(-1.5) == -2 && pow(2, 10) == 1024);
    assert(isalpha('x') && toupper('x') == 'X' && !isdigit('x') && isspace('\\n') && ispunct('!'));
    atexit(at_end); atexit(at_end);
    return 0;
}
"""  # noqa: E501


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_the_library(pvm, folder, level):
    text = LIBRARY.replace("pow(2, 10) == 1024", "1")
    found = run(pvm, build(pvm, folder, text, level), "--gas", "10000000000")
    assert (found["status"], found["stdout"], found["exit_code"]) == ("halt", "end 1\nend 2\n", 0)


def test_a_failed_assertion_says_where(pvm, folder):
    program = build(pvm, folder, '#include <assert.h>\nint main(void) {\n    assert(1 + 1 == 3);\n}\n')
    result = pvm("run", program)
    assert result.status == 1 and "prog.c:3: assertion failed: 1 + 1 == 3" in result.stderr


CPP = """
#include <stdio.h>
struct Counter { int n; Counter(int start) : n(start) {} virtual int next() { return ++n; } virtual ~Counter() {} };
struct Twice : Counter { Twice() : Counter(20) {} int next() override { n += 2; return n; } };
static Twice twice; static Counter one(5);
template <typename T> T largest(T a, T b) { return a < b ? b : a; }
int main() {
    Counter *all[] = {&twice, &one};
    int sum = 0;
    for (auto *counter : all) sum += counter->next();
    printf("%d %d\\n", sum, largest(3, 4));
}
"""


def test_cpp_with_constructors_and_virtual_functions(pvm, folder):
    found = run(pvm, build(pvm, folder, CPP, suffix=".cpp"))
    assert (found["stdout"], found["exit_code"]) == ("28 4\n", 0)


def test_zig(pvm, folder):
    source = """
export fn sum(data: [*]const u8, length: usize) u64 {
    var total: u64 = 0;
    for (data[0..length]) |octet| total += octet;
    return total;
}
"""
    program = build(pvm, folder, source, "--entry", "sum", suffix=".zig")
    assert run(pvm, program, "--args", "0102030a")["registers"][7] == 16


def test_assembly(pvm, folder):
    source = ".globl start\n.type start, @function\nstart:\n  li a0, 6\n  li a1, 7\n  mul a0, a0, a1\n  ret\n"
    assert run(pvm, build(pvm, folder, source, "--entry", "start", suffix=".S"))["registers"][7] == 42


SERVICE = """
#include <pvm.h>
#include <string.h>
PVM_ENTRY(refine, arguments, length) {
    static uint8_t reversed[64];
    for (size_t i = 0; i < length && i < 64; i++) reversed[i] = arguments[length - 1 - i];
    return pvm_result(reversed, length);
}
PVM_ENTRY(accumulate, arguments, length) {
    (void)arguments; (void)length;
    char message[32];
    uint64_t before = pvm_write("key", 3, "value", 5);
    strcpy(message, before == (uint64_t)PVM_NONE ? "new" : "old");
    pvm_print(message);
    return pvm_result(0, 0);
}
"""


@pytest.mark.parametrize("spec", ["0.7.2", "0.8.0"])
def test_a_service(pvm, folder, spec):
    program = build(pvm, folder, SERVICE, "--metadata", "demo", "--spec", spec)
    parsed = Program.parse(program.read_bytes())
    assert parsed.format == "jam" and parsed.metadata == b"demo"
    found = run(pvm, program, "--args", "010203", "--entry", "refine", "--spec", spec)
    assert found["result"] == "030201"
    result = pvm("run", program, "--entry", "accumulate", "--spec", spec, "--default-answer", "NONE")
    assert result.status == 0 and "log info: new" in result.stderr
    found = run(pvm, program, "--entry", "accumulate", "--spec", spec)
    assert found["host_call"] == {"0.7.2": 4, "0.8.0": 5}[spec] and found["registers"][8] == 3


FAULT = """
static int table[4] = {1, 2, 3, 4};
__attribute__((noinline)) int divide(int *p, int n) {
    if (n == 3)
        p = (int *)0x100;
    return *p / (n + 1);
}
__attribute__((noinline)) int outer(int n) {
    int sum = 0;
    for (int i = 0; i < n; i++)
        sum += divide(table + i, i);
    return sum + 1;
}
int main(void) {
    return outer(4) - 1;
}
"""


@pytest.mark.parametrize("flags", [("-O0",), ("-O1",), ("-O2",), ("-O1", "-gdwarf-5")], ids="".join)
def test_a_fault_is_reported_with_file_line_and_callers(pvm, folder, flags):
    program = build(pvm, folder, FAULT, "-g", *flags)
    found = run(pvm, program)
    source = str(folder / "prog.c")
    places = [(place["function"], place["file"], place["line"]) for place in found["backtrace"]]
    assert places[:3] == [("divide", source, 6), ("outer", source, 11), ("main", source, 15)]
    assert f"Where      divide ({source}:6)" in pvm("run", program).text
    text = pvm("disasm", program, "--source").text
    assert f"; divide ({source}:6): return *p / (n + 1);" in text
    again = folder / "again.pvmasm"
    again.write_text(text)
    assert pvm("asm", again, "-o", "-").stdout == program.read_bytes()


def test_a_map_of_another_program_is_not_believed(pvm, folder, bad_input):
    program = build(pvm, folder, FAULT, "-g", "-O1")
    program.write_bytes(program.read_bytes()[:-1] + b"\x01")
    assert "backtrace" not in run(pvm, program)
    bad_input(("disasm", program, "--source"), "is not there, or of another program")


EXAMPLES = Path(wasm_host.__file__).parent / "cc" / "examples"


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc to compare with")
@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.c")))
def test_examples_print_what_they_print_natively(pvm, folder, name):
    source, native = EXAMPLES / f"{name}.c", folder / name
    subprocess.run(["gcc", "-O1", "-w", source, "-o", native, "-lm"], check=True)
    assert pvm("cc", source, "-o", folder / "example.pvm").status == 0
    found = run(pvm, folder / "example.pvm")
    assert found["stdout"] == subprocess.run([native], capture_output=True, text=True).stdout
    assert found["exit_code"] == 0


@pytest.mark.parametrize("machine", ["+c", "+zba+zbs+zicond-c", "+zba+zbs+c"])
@pytest.mark.parametrize("name", ["hash", "sort"])
def test_short_instructions_and_other_extensions(pvm, folder, name, machine):
    printed = []
    for flags in ((), (f"-mcpu=generic_rv64+e+m+a+zbb{machine}-d-f",)):
        assert pvm("cc", EXAMPLES / f"{name}.c", "-o", folder / "example.pvm", *flags).status == 0
        printed.append(run(pvm, folder / "example.pvm")["stdout"])
    assert printed[0] == printed[1] and len(printed[0]) > 10


def test_sha_256_is_right(pvm, folder):
    assert pvm("cc", EXAMPLES / "hash.c", "-o", folder / "hash.pvm").status == 0
    # The example leaves padding out: its last block is a block like the others.
    assert run(pvm, folder / "hash.pvm", "--args", b"0".hex())["stdout"].startswith("hash 6a09e667bb67ae85")


def test_engines_agree(pvm, folder):
    program = Program.parse(build(pvm, folder, LIBRARY.split("char *blocks")[0] + "return 0; }", "-O1").read_bytes())
    ends = set()
    software = Engine(tier="recompiler", protection="software")
    for engine in (Engine(tier="interpreter"), Engine(tier="recompiler"), software):
        machine = engine.instantiate(program, gas=10_000_000, host={100: lambda machine: None})
        exit = machine.run()
        ends.add((exit.reason, exit.pc, exit.gas, tuple(machine.registers)))
    assert len(ends) == 1


def test_an_executable_with_its_relocations(pvm, folder):
    source = folder / "all.c"
    source.write_text("int table[3] = {4, 5, 6}; int (*pointer)(int);\n"
                      "__attribute__((noinline)) int get(int n) { return table[n]; }\n"
                      "int run(void) { pointer = get; return pointer(2) + get(0); }\n")  # fmt: skip
    zig = [sys.executable, "-m", "ziglang"]
    flags = ["-target", "riscv64-freestanding-none", "-mcpu=generic_rv64+e+m+a+zbb-c-d-f", "-mabi=lp64e", "-O1"]
    subprocess.run([*zig, "cc", *flags, "-c", source, "-o", folder / "all.o"], check=True, capture_output=True)
    linker = [*zig, "ld.lld", "--emit-relocs", "--no-relax", "-e", "run", folder / "all.o", "-o", folder / "all.elf"]
    subprocess.run(linker, check=True)
    for name in ("all.o", "all.elf"):
        assert pvm("link", folder / name, "-o", folder / "all.pvm", "--entry", "run").status == 0
        assert run(pvm, folder / "all.pvm")["registers"][7] == 10


def test_an_object_is_linked_where_a_program_is_expected(pvm, folder):
    source = folder / "six.c"
    source.write_text("long refine(void) { return 6; }\n")
    machine = ["-target", "riscv64-freestanding-none", "-mcpu=generic_rv64+e+m+a+zbb-c-d-f", "-mabi=lp64e", "-O1"]
    zig = [sys.executable, "-m", "ziglang", "cc", *machine, "-c", source, "-o", folder / "six.o"]
    subprocess.run(zig, check=True, capture_output=True)
    assert run(pvm, folder / "six.o")["registers"][7] == 6
    assert "load_imm_jump_ind r7, 6, r0" in pvm("disasm", folder / "six.o").text
    assert ask(Bridge(), "open", data=(folder / "six.o").read_bytes())["format"] == "standard"


def test_flags_go_to_the_compiler(pvm, folder):
    source = "#include <stdio.h>\nint main(void) { printf(\"%d %d\\n\", VALUE, OTHER); return 0; }\n"
    flags = ("-fno-jump-tables", "-DVALUE=3", "-D", "OTHER=4", "-fno-inline-functions", "-Os")
    assert run(pvm, build(pvm, folder, source, *flags))["stdout"] == "3 4\n"


def test_bad_input_is_a_line(pvm, bad_input, folder):
    source = folder / "bad.c"
    source.write_text("int main(void) { return x; }\n")
    result = pvm("cc", source, "-o", folder / "out")
    assert result.status == 2 and "use of undeclared identifier 'x'" in result.stderr.splitlines()[-1]
    source.write_text("int other(void); int main(void) { return other(); }\n")
    bad_input(("cc", source, "-o", folder / "out"), "other is defined nowhere")
    bad_input(("cc", folder / "missing.c", "-o", folder / "out"), "missing.c: no such file")
    bad_input(("cc", source, "-o", source), "--output: ")
    bad_input(("cc", "-O2", "-o", folder / "out"), "FILES")
    bad_input(("cc", source, "-o", folder / "out", "--compiler", "no-such"), "--compiler: no-such is not on the PATH")
    bad_input(("link", source, "-o", folder / "out"), "bad.c: no ELF file")
    bad_input(("link", source, "-o", folder / "out", "--entry", "x=y"), "--entry: x is no place")
    assert not (folder / "out").exists()


@pytest.mark.parametrize("spec", [GP_072, GP_080], ids=lambda spec: spec.name)
def test_the_header_has_every_host_call(spec):
    from pvm.jam.host_calls.table import ROWS

    text = calls_header(spec)
    for row in ROWS:
        number = row.number(spec)
        assert (f" pvm_{row.name}(" in text) == (number is not None)
        if number is not None:
            assert f"x0, x0, {number}\"" in text
    assert "#define PVM_WHAT -2ll" in text




def test_a_new_service_stores_what_the_one_in_assembly_stores(pvm, folder, bad_input, monkeypatch):
    monkeypatch.chdir(folder)
    result = pvm("new", "counter")
    commands = [line.strip() for line in result.text.splitlines()[1:]]
    assert result.status == 0 and commands[0].startswith("cd counter && pvm cc service.c -o service.jam")
    bad_input(("new", "counter"), "counter: cannot be written: ")
    bad_input(("new", "a b"), "a b: a name has letters")
    monkeypatch.chdir(folder / "counter")
    assert pvm(*commands[0].split("&& ")[1].split()[1:]).status == 0
    entries = (b"a", b"1"), (b"long key", b"x" * 300), (b"a", b"2"), (b"b", b"")
    payload = b"".join(bytes([len(key)]) + len(value).to_bytes(2, "little") + key + value for key, value in entries)
    stored = []
    for service in ("service.jam", "example:key_value"):
        result = pvm("jam", "accumulate", service, "--payload", payload.hex())
        assert result.status == 0
        stored.append([line.partition("storage")[2] for line in result.text.splitlines() if "storage" in line])
    assert len(stored[0]) == 3 and stored[0] == stored[1]
    assert pvm("jam", "accumulate", "service.jam", "--payload", "0501").status != 0  # refine panics


GUEST = """
struct metadata { unsigned char version; unsigned flags, length; const char *symbol; unsigned char in, out; }
    __attribute__((packed));
#define META __attribute__((section(".polkavm_metadata"))) static struct metadata
META log_meta = {1, 0, 3, "log", 5, 1};
static long __attribute__((naked)) say(long level, const char *t, long tn, const char *text, long n) {
    __asm__(".word 0x0b\\n.quad %[meta]\\nret\\n" : : [meta] "i"(&log_meta) : "memory");
}
int chosen(int n) {
    switch (n) { case 0: return 5; case 1: return 17; case 2: return 2; case 3: return 99; case 4: return -4; default: return 0; }
}
static int tick(int n) { say(2, "", 0, "tick", 4); return chosen(n) + 1; }
META tick_meta = {1, 0, 8, "ext_tick", 1, 1};
static void __attribute__((naked, used)) exports(void) {
    __asm__(".pushsection .polkavm_exports,\\"Ra\\",@note\\n.byte 1\\n.quad %[meta]\\n.quad %[function]\\n.popsection\\n"
            : : [meta] "i"(&tick_meta), [function] "i"(tick) : "memory");
}
"""  # noqa: E501


@pytest.mark.parametrize("kind", ["object", "executable", "shared"])
def test_a_program_in_c_for_polkatool(pvm, folder, kind):
    (folder / "guest.c").write_text(GUEST)
    zig = [sys.executable, "-m", "ziglang"]
    flags = ["-target", "riscv64-freestanding-none", "-mcpu=generic_rv64+e+m+a+c+zbb+xtheadcondmov-d-f", "-mabi=lp64e"]
    made = folder / "guest.elf"
    compiled = [*zig, "cc", *flags, "-O1", "-fPIC", "-w", "-c", folder / "guest.c", "-o", folder / "guest.o"]
    subprocess.run(compiled, check=True, capture_output=True)
    extra = {"object": ["-r"], "executable": [], "shared": ["-shared", "-Bsymbolic", "-z", "notext"]}[kind]
    kept = [] if kind == "object" else ["--emit-relocs", "-e", "chosen"]
    subprocess.run([*zig, "ld.lld", *kept, *extra, folder / "guest.o", "-o", made], check=True)
    result = pvm("link", made, "-o", folder / "guest.pvm", "--json")
    assert result.status == 0, result.stderr
    found = json.loads(result.text)
    assert found["entries"] == [{"name": "ext_tick", "pc": 0}]
    assert found["imports"] == [{"name": "log", "host_call": 100}]
    for number, wanted in ((1, 18), (3, 100), (4, 2**64 - 3), (9, 1)):
        ran = pvm("run", folder / "guest.pvm", "--json", "--reg", f"r7={number}")
        assert json.loads(ran.text)["registers"][7] == wanted and "log info: tick" in ran.stderr
