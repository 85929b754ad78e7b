/* Quicksort of records with comparisons by callback, in several orders. The argument is how many records. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { uint32_t number; uint16_t group, weight; char name[12]; } record;
typedef int (*compare)(const void *, const void *);

static void swap(uint8_t *a, uint8_t *b, size_t size) {
    for (; size >= 4; size -= 4, a += 4, b += 4) {
        uint32_t x, y;
        memcpy(&x, a, 4); memcpy(&y, b, 4);
        memcpy(a, &y, 4); memcpy(b, &x, 4);
    }
}

static void sort(uint8_t *base, size_t count, size_t size, compare order) {
    while (count > 8) {
        uint8_t *low = base, *high = base + (count - 1) * size, *middle = base + count / 2 * size;
        if (order(middle, low) < 0) swap(middle, low, size);
        if (order(high, low) < 0) swap(high, low, size);
        if (order(high, middle) < 0) swap(high, middle, size);
        swap(middle, base, size);
        low = base;
        high = base + count * size;
        for (;;) {
            do low += size; while (low < base + count * size && order(low, base) < 0);
            do high -= size; while (order(high, base) > 0);
            if (low >= high) break;
            swap(low, high, size);
        }
        swap(base, high, size);
        size_t left = (size_t)(high - base) / size;
        if (left < count - left - 1) { sort(base, left, size, order); base = high + size; count -= left + 1; }
        else { sort(high + size, count - left - 1, size, order); count = left; }
    }
    for (size_t i = 1; i < count; i++)
        for (uint8_t *at = base + i * size; at > base && order(at - size, at) > 0; at -= size) swap(at - size, at, size);
}

static int by_number(const void *a, const void *b) {
    uint32_t x = ((const record *)a)->number, y = ((const record *)b)->number;
    return x < y ? -1 : x > y;
}
static int by_name(const void *a, const void *b) { return strcmp(((const record *)a)->name, ((const record *)b)->name); }
static int by_group(const void *a, const void *b) {
    int found = ((const record *)a)->group - ((const record *)b)->group;
    return found ? found : ((const record *)b)->weight - ((const record *)a)->weight;
}

int main(int argc, char **argv) {
    size_t count = argc > 1 ? (size_t)atoi(argv[1]) : 300;
    record *records = malloc(count * sizeof *records);
    static const compare orders[] = {by_number, by_name, by_group};
    uint32_t seed = 3, sum = 0;
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525 + 1013904223;
        records[i] = (record){seed, (uint16_t)(seed >> 27), (uint16_t)(seed >> 8), ""};
        for (int c = 0; c < 8; c++) records[i].name[c] = (char)('a' + (seed >> (3 * c) & 7));
    }
    for (int i = 0; i < 3; i++) {
        sort((uint8_t *)records, count, sizeof *records, orders[i]);
        for (size_t k = 0; k < count; k++) sum = sum * 31 + records[k].number;
    }
    printf("%u\n", sum);
    return 0;
}
