/* Multiplies matrices of integers of 64 bits. The argument is how often. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 64 };
static uint64_t a[N][N], b[N][N], c[N][N];

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 2;
    uint64_t sum = 0;
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++) a[i][k] = i * 31 + k, b[i][k] = i ^ k * 17;
    while (rounds--) {
        for (int i = 0; i < N; i++)
            for (int k = 0; k < N; k++) {
                uint64_t dot = 0;
                for (int n = 0; n < N; n++) dot += a[i][n] * b[n][k];
                c[i][k] = dot;
            }
        sum += c[rounds % N][N - 1], a[rounds % N][3] ^= sum;
    }
    printf("matrix %llu\n", (unsigned long long)sum);
    return 0;
}
