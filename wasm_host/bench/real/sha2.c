/* SHA-256 of many short messages, each the hash of the one before. The argument is how many. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { uint32_t state[8]; uint64_t length; uint8_t buffer[64]; unsigned used; } hash;

static uint32_t constants[64], start[8];

static uint32_t fraction(unsigned n, int root) { /* the first 32 bits of a root's fraction, by bisection */
    uint64_t whole = 0;
    while (root == 2 ? (whole + 1) * (whole + 1) <= n : (whole + 1) * (whole + 1) * (whole + 1) <= n) whole++;
    uint64_t found = whole << 32;
    for (int bit = 31; bit >= 0; bit--) {
        uint64_t tried = found | 1ull << bit;
        unsigned __int128 power = (unsigned __int128)tried * tried;
        if (root == 3 ? power * tried <= (unsigned __int128)n << 96 : power <= (unsigned __int128)n << 64) found = tried;
    }
    return (uint32_t)found;
}

static void prepare(void) {
    unsigned count = 0;
    for (unsigned n = 2; count < 64; n++) {
        int prime = 1;
        for (unsigned d = 2; d * d <= n; d++) if (n % d == 0) prime = 0;
        if (!prime) continue;
        if (count < 8) start[count] = fraction(n, 2);
        constants[count++] = fraction(n, 3);
    }
}

static uint32_t turn(uint32_t x, int by) { return x >> by | x << (32 - by); }

static void block(hash *h, const uint8_t *at) {
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++, at += 4)
        w[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ a >> 3) + w[i - 7] + (turn(b, 17) ^ turn(b, 19) ^ b >> 10);
    }
    memcpy(s, h->state, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t e = s[4], a = s[0];
        uint32_t one = s[7] + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & s[5]) ^ (~e & s[6])) + constants[i] + w[i];
        uint32_t two = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        s[7] = s[6]; s[6] = s[5]; s[5] = s[4]; s[4] = s[3] + one; s[3] = s[2]; s[2] = s[1]; s[1] = s[0]; s[0] = one + two;
    }
    for (int i = 0; i < 8; i++) h->state[i] += s[i];
}

static void begin(hash *h) { memset(h, 0, sizeof *h); memcpy(h->state, start, sizeof start); }

static void add(hash *h, const uint8_t *data, unsigned length) {
    h->length += length;
    while (length--) {
        h->buffer[h->used++] = *data++;
        if (h->used == 64) { block(h, h->buffer); h->used = 0; }
    }
}

static void end(hash *h, uint8_t *out) {
    uint64_t bits = h->length * 8;
    add(h, (const uint8_t *)"\x80", 1);
    while (h->used != 56) add(h, (const uint8_t *)"", 1);
    uint8_t last[8];
    for (int i = 0; i < 8; i++) last[i] = (uint8_t)(bits >> (56 - 8 * i));
    add(h, last, 8);
    for (int i = 0; i < 32; i++) out[i] = (uint8_t)(h->state[i / 4] >> (24 - i % 4 * 8));
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 100;
    uint8_t out[32] = "abc";
    hash h;
    prepare();
    for (int i = 0; i < rounds; i++) { begin(&h); add(&h, out, i ? 32 : 3); end(&h, out); }
    for (int i = 0; i < 32; i++) printf("%02x", out[i]);
    printf("\n");
    return 0;
}
