/* An emulator of a small processor with flags and addressing modes, running a sieve. The argument is how many rounds. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { uint16_t pc; uint8_t a, x, y, sp, flags; uint8_t memory[1 << 16]; uint64_t cycles; } cpu;
enum { CARRY = 1, ZERO = 2, NEGATIVE = 128 };
enum { LDA, LDX, LDY, STA, STX, ADC, SBC, CMP, AND, EOR, INX, DEX, INY, DEY, INC, TAX, TXA, JMP, JSR, RTS, PHA, PLA, BNE, BEQ, BCC, BCS, CLC, SEC, HLT };
enum { IMP, IMM, ZPG, ZPX, ABS, ABX, IZY, REL };

static uint8_t load(cpu *c, uint16_t at) { c->cycles++; return at >= 0xfff0 ? (uint8_t)c->cycles : c->memory[at]; }
static void keep(cpu *c, uint16_t at, uint8_t value) { c->cycles++; if (at < 0xff00) c->memory[at] = value; }
static uint8_t next(cpu *c) { return load(c, c->pc++); }
static uint16_t next_two(cpu *c) { uint8_t low = next(c); return (uint16_t)(low | next(c) << 8); }
static uint8_t note(cpu *c, uint8_t value) {
    c->flags = (uint8_t)((c->flags & ~(ZERO | NEGATIVE)) | (value ? 0 : ZERO) | (value & NEGATIVE));
    return value;
}

static uint16_t address(cpu *c, int mode) {
    switch (mode) {
    case IMM: return c->pc++;
    case ZPG: return next(c);
    case ZPX: return (uint8_t)(next(c) + c->x);
    case ABS: return next_two(c);
    case ABX: return (uint16_t)(next_two(c) + c->x);
    case IZY: { uint8_t zero = next(c); return (uint16_t)((load(c, zero) | load(c, (uint8_t)(zero + 1)) << 8) + c->y); }
    default: return 0;
    }
}

static void add(cpu *c, uint8_t value) {
    unsigned sum = c->a + value + (c->flags & CARRY);
    c->flags = (uint8_t)((c->flags & ~CARRY) | (sum >> 8 & 1));
    c->a = note(c, (uint8_t)sum);
}
static void compare(cpu *c, uint8_t value) {
    c->flags = (uint8_t)((c->flags & ~CARRY) | (c->a >= value));
    note(c, (uint8_t)(c->a - value));
}
static void push(cpu *c, uint8_t value) { keep(c, (uint16_t)(0x100 + c->sp--), value); }
static uint8_t pull(cpu *c) { return load(c, (uint16_t)(0x100 + ++c->sp)); }
static void branch(cpu *c, int taken) { int8_t by = (int8_t)next(c); if (taken) { c->pc = (uint16_t)(c->pc + by); c->cycles++; } }

static int step(cpu *c) {
    uint8_t code = next(c), op = code >> 3;
    int mode = code & 7;
    switch (op) {
    case LDA: c->a = note(c, load(c, address(c, mode))); break;
    case LDX: c->x = note(c, load(c, address(c, mode))); break;
    case LDY: c->y = note(c, load(c, address(c, mode))); break;
    case STA: keep(c, address(c, mode), c->a); break;
    case STX: keep(c, address(c, mode), c->x); break;
    case ADC: add(c, load(c, address(c, mode))); break;
    case SBC: add(c, (uint8_t)~load(c, address(c, mode))); break;
    case CMP: compare(c, load(c, address(c, mode))); break;
    case AND: c->a = note(c, c->a & load(c, address(c, mode))); break;
    case EOR: c->a = note(c, c->a ^ load(c, address(c, mode))); break;
    case INX: c->x = note(c, (uint8_t)(c->x + 1)); break;
    case DEX: c->x = note(c, (uint8_t)(c->x - 1)); break;
    case INY: c->y = note(c, (uint8_t)(c->y + 1)); break;
    case DEY: c->y = note(c, (uint8_t)(c->y - 1)); break;
    case INC: { uint16_t at = address(c, mode); keep(c, at, note(c, (uint8_t)(load(c, at) + 1))); break; }
    case TAX: c->x = note(c, c->a); break;
    case TXA: c->a = note(c, c->x); break;
    case JMP: c->pc = next_two(c); break;
    case JSR: { uint16_t to = next_two(c); push(c, (uint8_t)(c->pc >> 8)); push(c, (uint8_t)c->pc); c->pc = to; break; }
    case RTS: { uint8_t low = pull(c); c->pc = (uint16_t)(low | pull(c) << 8); break; }
    case PHA: push(c, c->a); break;
    case PLA: c->a = note(c, pull(c)); break;
    case BNE: branch(c, !(c->flags & ZERO)); break;
    case BEQ: branch(c, c->flags & ZERO); break;
    case BCC: branch(c, !(c->flags & CARRY)); break;
    case BCS: branch(c, c->flags & CARRY); break;
    case CLC: c->flags &= (uint8_t)~CARRY; break;
    case SEC: c->flags |= CARRY; break;
    default: return 0;
    }
    return 1;
}

#define OP(op, mode) (op << 3 | mode)
static const uint8_t program[] = { /* at 0x400: clears 256 flags at 0x600, sieves them, counts into 0x10 */
    OP(LDX, IMM), 0, OP(LDA, IMM), 0, OP(STA, ABX), 0, 6, OP(INX, IMP), OP(BNE, REL), 0xfa, OP(STA, ZPG), 0x10,
    OP(LDX, IMM), 2, OP(STX, ZPG), 0x11,                                      /* 0x40c: n = 2 */
    OP(LDX, ZPG), 0x11, OP(LDA, ABX), 0, 6, OP(BNE, REL), 5,                  /* 0x410: a prime? */
    OP(INC, ZPG), 0x10, OP(JSR, ABS), 0x28, 4,                                /* 0x417: count it, strike out */
    OP(INC, ZPG), 0x11, OP(LDA, ZPG), 0x11, OP(BNE, REL), 0xee, OP(HLT, IMP), /* 0x41c */
    0, 0, 0, 0, 0,                                                            /* 0x423 */
    OP(TXA, IMP), OP(CLC, IMP), OP(ADC, ZPG), 0x11, OP(BCS, REL), 10,         /* 0x428: multiples */
    OP(TAX, IMP), OP(PHA, IMP), OP(LDA, IMM), 1, OP(STA, ABX), 0, 6, OP(PLA, IMP), OP(BNE, REL), 0xf0, OP(RTS, IMP), /* 0x42e */
};

int main(int argc, char **argv) {
    static cpu c;
    int rounds = argc > 1 ? atoi(argv[1]) : 5;
    unsigned sum = 0;
    memcpy(c.memory + 0x400, program, sizeof program);
    for (int i = 0; i < rounds; i++) {
        c.pc = 0x400;
        c.sp = 0xff;
        while (step(&c)) {}
        sum += c.memory[0x10];
    }
    printf("%u primes, %llu cycles\n", sum, (unsigned long long)c.cycles);
    return 0;
}
