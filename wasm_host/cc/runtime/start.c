/* How programs begin and end: `main` between them. */
#include <locale.h>
#include <pvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

extern void (*const __init_array_start[])(void), (*const __init_array_end[])(void);
extern void (*const __fini_array_start[])(void), (*const __fini_array_end[])(void);

void *__dso_handle;
int errno;

void pvm_construct(void) {
    static int done;
    if (done) return;
    done = 1;
    size_t count = ((uintptr_t)__init_array_end - (uintptr_t)__init_array_start) / sizeof(void (*)(void));
    for (size_t i = 0; i < count; i++) __init_array_start[i]();
}

void pvm_halt(pvm_octets result) {
    register uint64_t a0 __asm__("a0") = (uint64_t)result.data, a1 __asm__("a1") = result.length;
    register uint64_t to __asm__("t0") = 0xffff0000; /* a dynamic jump there halts */
    __asm__ volatile("jr %2" : : "r"(a0), "r"(a1), "r"(to) : "memory");
    __builtin_unreachable();
}

void pvm_panic(void) { __builtin_trap(); }

void pvm_print(const char *text) { pvm_log(2, 0, 0, text, strlen(text)); }

uint64_t pvm_natural(const uint8_t **at) {
    const uint8_t *octets = *at;
    unsigned more = 0; /* octets after the first: its leading ones */
    while (more < 8 && octets[0] & 0x80 >> more) more++;
    uint64_t value = 0;
    for (unsigned i = 0; i < more; i++) value |= (uint64_t)octets[1 + i] << 8 * i;
    if (more < 8) value |= (uint64_t)(octets[0] & 0x7f >> more) << 8 * more;
    *at = octets + 1 + more;
    return value;
}

/* What runs at exit, last come first: functions of atexit, destructors of C++'s globals. The first 32 need no malloc. */
struct at_exit {
    struct at_exit *before;
    int count;
    struct { void (*function)(void *); void *argument; } entries[32];
};
static struct at_exit first_at_exit, *at_exit = &first_at_exit;

int __cxa_atexit(void (*function)(void *), void *argument, void *handle) {
    (void)handle;
    if (at_exit->count == 32) {
        struct at_exit *more = malloc(sizeof *more);
        if (!more) return 1;
        more->before = at_exit, more->count = 0;
        at_exit = more;
    }
    at_exit->entries[at_exit->count].function = function;
    at_exit->entries[at_exit->count++].argument = argument;
    return 0;
}

int __cxa_thread_atexit(void (*function)(void *), void *argument, void *handle) {
    return __cxa_atexit(function, argument, handle);
}

int atexit(void (*function)(void)) { return __cxa_atexit((void (*)(void *))function, 0, 0); }

/* Thread-local storage is data: there is one hart. The linker puts 0 and the variable's address there. */
void *__tls_get_addr(const size_t *place) { return (void *)(place[0] + place[1]); }

void __cxa_pure_virtual(void) { abort(); }

void _Exit(int code) {
    char text[12];
    int n = snprintf(text, sizeof text, "%d", code);
    pvm_log(2, "exit_code", 9, text, n);
    pvm_halt(pvm_result(0, 0));
}

void exit(int code) {
    while (at_exit->count || at_exit->before) {
        if (!at_exit->count) at_exit = at_exit->before;
        else {
            int n = --at_exit->count;
            at_exit->entries[n].function(at_exit->entries[n].argument);
        }
    }
    for (size_t n = __fini_array_end - __fini_array_start; n--;) __fini_array_start[n]();
    fflush(0);
    _Exit(code);
}

void abort(void) {
    fflush(0);
    pvm_panic();
}

void __assert_fail(const char *text, const char *file, int line) {
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, text);
    abort();
}

struct lconv *localeconv(void) {
    static struct lconv found = {(char *)".", (char *)""};
    return &found;
}
char *setlocale(int category, const char *name) { (void)category; return !name || !*name || !strcmp(name, "C") ? (char *)"C" : 0; }
time_t time(time_t *to) { return to ? *to = 0 : 0; }
clock_t clock(void) { return (clock_t)pvm_gas(); }

int main(int argc, char **argv);

/* Arguments are strings with a NUL between two; argv[0] is "program". */
pvm_octets _start(const char *arguments, size_t length) {
    static char *argv[64];
    pvm_construct();
    int argc = 0;
    argv[argc++] = (char *)"program";
    if (length) {
        char *copy = malloc(length + 1);
        if (!copy) pvm_panic();
        memcpy(copy, arguments, length);
        copy[length] = 0;
        for (size_t at = 0; at < length && argc < 63; at += strlen(copy + at) + 1) argv[argc++] = copy + at;
    }
    exit(main(argc, argv));
}
