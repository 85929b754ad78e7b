/* LZ77 with hash chains and an adaptive range coder, and back again. The argument is how many rounds. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 30000, HASHES = 4096, CHAIN = 16, LEAST = 4, MOST = 66 };
static uint8_t data[SIZE], packed[2 * SIZE], back[SIZE];
static int heads[HASHES], before[SIZE];

typedef struct { uint8_t *at; uint64_t low; uint32_t range, code, held; uint8_t pending; int is_first; } coder;
static uint16_t flags[2], literals[256], lengths[64], distances[16 * 16];

static void reset(void) {
    for (int i = 0; i < 256; i++) literals[i] = distances[i] = 1 << 11;
    for (int i = 0; i < 64; i++) lengths[i] = 1 << 11;
    flags[0] = flags[1] = 1 << 11;
}

static void shift(coder *c) { /* octets of 0xff are held back, because a carry may come */
    if (c->low < 0xff000000u || c->low >> 32) {
        uint8_t carry = (uint8_t)(c->low >> 32);
        if (!c->is_first) *c->at++ = (uint8_t)(c->pending + carry);
        for (; c->held; c->held--) *c->at++ = (uint8_t)(0xff + carry);
        c->pending = (uint8_t)(c->low >> 24);
        c->is_first = 0;
    } else c->held++;
    c->low = (uint64_t)((uint32_t)c->low << 8);
}

static void put(coder *c, uint16_t *chance, int bit) {
    uint32_t bound = (c->range >> 12) * *chance;
    if (!bit) { c->range = bound; *chance += (4096 - *chance) >> 5; }
    else { c->low += bound; c->range -= bound; *chance -= *chance >> 5; }
    while (c->range < 1 << 24) { c->range <<= 8; shift(c); }
}

static int get(coder *c, uint16_t *chance) {
    uint32_t bound = (c->range >> 12) * *chance;
    int bit = c->code >= bound;
    if (!bit) { c->range = bound; *chance += (4096 - *chance) >> 5; }
    else { c->code -= bound; c->range -= bound; *chance -= *chance >> 5; }
    while (c->range < 1 << 24) { c->code = c->code << 8 | *c->at++; c->range <<= 8; }
    return bit;
}

static void put_tree(coder *c, uint16_t *chances, int bits, int symbol) {
    int node = 1;
    for (int i = bits - 1; i >= 0; i--) { int bit = symbol >> i & 1; put(c, chances + node, bit); node = node * 2 + bit; }
}

static int get_tree(coder *c, uint16_t *chances, int bits) {
    int node = 1;
    for (int i = 0; i < bits; i++) node = node * 2 + get(c, chances + node);
    return node - (1 << bits);
}

static unsigned hash(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v * 2654435761u >> 20; }
static int common(const uint8_t *a, const uint8_t *b, int most) { int n = 0; while (n < most && a[n] == b[n]) n++; return n; }

static int find(int at, int *distance) {
    int best = 0, left = SIZE - at < MOST ? SIZE - at : MOST;
    if (left < LEAST) return 0;
    int candidate = heads[hash(data + at)];
    for (int i = 0; i < CHAIN && candidate >= 0 && at - candidate < 32768; i++, candidate = before[candidate]) {
        int length = common(data + candidate, data + at, left);
        if (length > best) { best = length; *distance = at - candidate; }
    }
    return best < LEAST ? 0 : best;
}

static void note(int at) {
    if (SIZE - at < 4) return;
    unsigned h = hash(data + at);
    before[at] = heads[h];
    heads[h] = at;
}

static int pack(void) {
    coder c = {packed, 0, 0xffffffffu, 0, 0, 0, 1};
    reset();
    for (int i = 0; i < HASHES; i++) heads[i] = -1;
    for (int at = 0, matched = 0; at < SIZE;) {
        int distance = 0, length = find(at, &distance);
        put(&c, flags + matched, length != 0);
        matched = length != 0;
        if (length) {
            put_tree(&c, lengths, 6, length - LEAST + 1);
            int bits = 0;
            while (distance >> (bits + 1)) bits++;
            put_tree(&c, distances, 4, bits);
            for (int i = bits - 1; i >= 0; i--) put(&c, distances + 16 + bits * 15 + (i & 7), distance >> i & 1);
            while (length--) note(at++);
        } else { put_tree(&c, literals, 8, data[at]); note(at++); }
    }
    for (int i = 0; i < 5; i++) shift(&c);
    return (int)(c.at - packed);
}

static void unpack(void) {
    coder c = {packed, 0, 0xffffffffu, 0, 0, 0, 0};
    reset();
    for (int i = 0; i < 4; i++) c.code = c.code << 8 | *c.at++;
    for (int at = 0, matched = 0; at < SIZE;) {
        matched = get(&c, flags + matched);
        if (!matched) { back[at++] = (uint8_t)get_tree(&c, literals, 8); continue; }
        int length = get_tree(&c, lengths, 6) + LEAST - 1, bits = get_tree(&c, distances, 4), distance = 1;
        for (int i = bits - 1; i >= 0; i--) distance = distance * 2 + get(&c, distances + 16 + bits * 15 + (i & 7));
        for (; length-- && at < SIZE; at++) back[at] = at >= distance ? back[at - distance] : 0;
    }
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 1, size = 0;
    uint32_t seed = 7;
    static const char *words[] = {"the ", "quick ", "brown ", "fox ", "jumps ", "over ", "lazy ", "dogs. "};
    for (int at = 0; at < SIZE;) {
        seed = seed * 1664525 + 1013904223;
        if (seed >> 28 == 0) { data[at++] = (uint8_t)(seed >> 8); continue; }
        for (const char *c = words[seed >> 29]; *c && at < SIZE; c++) data[at++] = (uint8_t)*c;
    }
    for (int i = 0; i < rounds; i++) { size = pack(); unpack(); data[i % SIZE] ^= 1; }
    data[(rounds - 1) % SIZE] ^= 1;
    printf("%d %s\n", size, memcmp(data, back, SIZE) ? "differs" : "same");
    return 0;
}
