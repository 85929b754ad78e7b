/* SHA-256 of a long message. The argument is its length in KiB. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint32_t k[64], h[8];

/* The first 32 bits after the point of the square or cube root of a prime (FIPS 180-4): the largest r with r^n <= p. */
static uint32_t fraction(unsigned prime, int is_cube) {
    uint64_t low = 0, high = (uint64_t)1 << 37; /* of 32 bits after the point */
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        unsigned __int128 square = (unsigned __int128)middle * middle;
        /* middle^3 > p 2^96 just if middle^2 > p 2^96 / middle */
        unsigned __int128 most = is_cube ? ((unsigned __int128)prime << 96) / middle : (unsigned __int128)prime << 64;
        if (square > most) high = middle;
        else low = middle;
    }
    return (uint32_t)low;
}

static uint32_t rotated(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void block(const uint8_t *data) {
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++) w[i] = (uint32_t)data[4 * i] << 24 | data[4 * i + 1] << 16 | data[4 * i + 2] << 8 | data[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = rotated(w[i - 15], 7) ^ rotated(w[i - 15], 18) ^ w[i - 15] >> 3;
        w[i] = w[i - 16] + a + w[i - 7] + (rotated(w[i - 2], 17) ^ rotated(w[i - 2], 19) ^ w[i - 2] >> 10);
    }
    for (int i = 0; i < 8; i++) s[i] = h[i];
    for (int i = 0; i < 64; i++) {
        uint32_t e = rotated(s[4], 6) ^ rotated(s[4], 11) ^ rotated(s[4], 25);
        uint32_t t = s[7] + e + ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
        uint32_t a = rotated(s[0], 2) ^ rotated(s[0], 13) ^ rotated(s[0], 22);
        uint32_t u = a + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        for (int n = 7; n > 0; n--) s[n] = s[n - 1];
        s[4] += t, s[0] = t + u;
    }
    for (int i = 0; i < 8; i++) h[i] += s[i];
}

int main(int argc, char **argv) {
    size_t size = (argc > 1 ? atoi(argv[1]) : 16) * (size_t)1024;
    for (unsigned prime = 2, count = 0; count < 64; prime++) {
        int is_prime = 1;
        for (unsigned d = 2; d * d <= prime; d++) is_prime &= prime % d != 0;
        if (!is_prime) continue;
        if (count < 8) h[count] = fraction(prime, 0);
        k[count++] = fraction(prime, 1);
    }
    static uint8_t message[64];
    for (size_t at = 0; at < size; at += 64) {
        for (int i = 0; i < 64; i++) message[i] = (uint8_t)(at / 64 + i);
        block(message);
    }
    printf("hash ");
    for (int i = 0; i < 8; i++) printf("%08x", h[i]);
    printf("\n");
    return 0;
}
