/* Sorts by quicksort and by qsort of the library. The argument is how many numbers. */
#include <stdio.h>
#include <stdlib.h>
#include <stdint.h>

static void quick(uint32_t *first, uint32_t *last) {
    while (last - first > 12) {
        uint32_t pivot = first[(last - first) / 2], *i = first, *k = last - 1;
        for (;; i++, k--) {
            while (*i < pivot) i++;
            while (*k > pivot) k--;
            if (i >= k) break;
            uint32_t t = *i;
            *i = *k, *k = t;
        }
        quick(k + 1, last);
        last = k + 1;
    }
    for (uint32_t *i = first + 1; i < last; i++) {
        uint32_t value = *i, *k = i;
        for (; k > first && k[-1] > value; k--) *k = k[-1];
        *k = value;
    }
}

int main(int argc, char **argv) {
    int n = argc > 1 ? atoi(argv[1]) : 5000;
    uint32_t *numbers = malloc(n * sizeof *numbers), state = 1, sum = 0;
    for (int i = 0; i < n; i++) numbers[i] = state = state * 1664525 + 1013904223;
    quick(numbers, numbers + n);
    for (int i = 0; i < n; i++) sum = sum * 31 + numbers[i];
    for (int i = 1; i < n; i++)
        if (numbers[i - 1] > numbers[i]) return 1;
    printf("sort %u\n", sum);
    return 0;
}
