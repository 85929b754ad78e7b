/* A small machine with a stack, whose program counts primes. The argument is the largest number. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { PUSH, LOAD, STORE, ADD, MUL, REM, LESS, JUMP, JUMP_IF_ZERO, HALT };

static int64_t run(const int32_t *code, int64_t *locals) {
    int64_t stack[32], *top = stack;
    for (const int32_t *at = code;;) {
        switch (*at++) {
        case PUSH: *top++ = *at++; break;
        case LOAD: *top++ = locals[*at++]; break;
        case STORE: locals[*at++] = *--top; break;
        case ADD: top--; top[-1] += *top; break;
        case MUL: top--; top[-1] *= *top; break;
        case REM: top--; top[-1] %= *top; break;
        case LESS: top--; top[-1] = top[-1] < *top; break;
        case JUMP: at = code + *at; break;
        case JUMP_IF_ZERO: at = *--top ? at + 1 : code + *at; break;
        case HALT: return top[-1];
        }
    }
}

int main(int argc, char **argv) {
    /* Locals: n, limit, divisor, count. */
    static const int32_t program[] = {
        PUSH, 2, STORE, 0,                                  /*  0 n = 2 */
        LOAD, 0, LOAD, 1, LESS, JUMP_IF_ZERO, 59,           /*  4 while n < limit */
        PUSH, 2, STORE, 2,                                  /* 11 d = 2 */
        LOAD, 0, LOAD, 2, LOAD, 2, MUL, LESS,               /* 15 n < d * d */
        JUMP_IF_ZERO, 34,                                   /* 23 */
        LOAD, 3, PUSH, 1, ADD, STORE, 3, JUMP, 50,          /* 25 a prime */
        LOAD, 0, LOAD, 2, REM, JUMP_IF_ZERO, 50,            /* 34 n % d */
        LOAD, 2, PUSH, 1, ADD, STORE, 2, JUMP, 15,          /* 41 d = d + 1 */
        LOAD, 0, PUSH, 1, ADD, STORE, 0, JUMP, 4,           /* 50 n = n + 1 */
        LOAD, 3, HALT,                                      /* 59 */
    };
    int64_t locals[4] = {0, argc > 1 ? atoi(argv[1]) : 500, 0, 0};
    printf("primes %lld\n", (long long)run(program, locals));
    return 0;
}
