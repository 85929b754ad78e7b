"""What the run-time library does around `main`: thread-local storage, ends of programs, memory beyond --heap."""

from __future__ import annotations

import pytest

from tests.wasm_host.cc.test_cc import build, needs_zig, run

pytestmark = needs_zig


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cc")


THREADS = """
#include <stdio.h>
_Thread_local int first = 5;
static _Thread_local long zeros[10];
__attribute__((noinline)) long *place(int n) { return &zeros[n]; }
int main(void) {
    first += 2;
    *place(3) = 35;
    printf("%d\\n", first + (int)zeros[3] + (int)*place(4));
}
"""


@pytest.mark.parametrize("flags", [(), ("-O0",), ("-fPIC",), ("-fPIC", "-ftls-model=initial-exec")], ids="".join)
def test_thread_local_storage_is_data(pvm, folder, flags):
    assert run(pvm, build(pvm, folder, THREADS, *flags))["stdout"] == "42\n"


ENDS = """
#include <stdio.h>
#include <stdlib.h>
struct Named { const char *name; Named(const char *n) : name(n) {} ~Named() { printf("~%s\\n", name); } };
static Named first("first"), second("second");
__attribute__((destructor)) static void last() { printf("last\\n"); }
static int count;
static void counted() { count++; }
static void at_end() { printf("at exit %d\\n", count); }
Named &local() { static thread_local Named found("local"); return found; }
int main(int argc, char **) {
    atexit(at_end);
    for (int i = 0; i < 100; i++) atexit(counted);
    printf("%s\\n", local().name);
    if (argc > 1) exit(3);
    return 4;
}
"""


def test_destructors_and_atexit_run_at_the_end_last_come_first(pvm, folder):
    program = build(pvm, folder, ENDS, suffix=".cpp")
    wanted = "local\n~local\nat exit 100\n~second\n~first\nlast\n"
    for args, code in (("", 4), ("31", 3)):
        found = run(pvm, program, "--args", args)
        assert (found["stdout"], found["exit_code"]) == (wanted, code)


MEMORY = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void) {
    unsigned long sum = 0;
    for (int i = 1; i <= 64; i++) {
        unsigned char *block = malloc(i * 1000);
        if (!block) { printf("none at %d\\n", i); return 1; }
        memset(block, i, i * 1000);
        sum += block[i * 999];
    }
    void *volatile large = malloc(0xf0000000);
    printf("%lu %d\\n", sum, large == 0);
}
"""


@pytest.mark.parametrize("spec", ["0.7.2", "0.8.0"])
def test_malloc_goes_beyond_the_heap(pvm, folder, spec):
    program = build(pvm, folder, MEMORY, "--heap", "0x1000", "--spec", spec)
    assert run(pvm, program, "--spec", spec)["stdout"] == "2080 1\n"
    # A host without `grow_heap`: malloc says that there is none.
    if spec == "0.8.0":
        answers = folder / "answers"
        answers.write_text("grow_heap -> WHAT\n")
        assert run(pvm, program, "--spec", spec, "--answers", str(answers))["stdout"].startswith("none at ")


def test_a_refused_instruction_has_its_source_line(pvm, folder, bad_input):
    source = folder / "refused.c"
    source.write_text('int main(void) {\n    __asm__ volatile("ecall");\n    return 0;\n}\n')
    line = rf"refused.c: main+0x10 (00000073), {source}:2: ecall: host calls have numbers of their own"
    bad_input(("cc", source, "-g", "-o", folder / "out"), line)
    source.write_text("int none(void);\nint main(void) {\n    return none();\n}\n")
    bad_input(("cc", source, "-g", "-o", folder / "out"), f"{source}:3)")
