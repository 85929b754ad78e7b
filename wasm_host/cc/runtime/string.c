/* Strings; what works on many octets takes 8 at a time. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t __attribute__((may_alias)) word;
#define ONES 0x0101010101010101ull
#define HIGHS 0x8080808080808080ull

void *memcpy(void *to, const void *from, size_t n) {
    uint8_t *d = to;
    const uint8_t *s = from;
    for (; n >= 32; n -= 32, d += 32, s += 32) {
        uint64_t a = ((const word *)s)[0], b = ((const word *)s)[1], c = ((const word *)s)[2], e = ((const word *)s)[3];
        ((word *)d)[0] = a, ((word *)d)[1] = b, ((word *)d)[2] = c, ((word *)d)[3] = e;
    }
    for (; n >= 8; n -= 8, d += 8, s += 8) *(word *)d = *(const word *)s;
    for (; n; n--) *d++ = *s++;
    return to;
}

void *memmove(void *to, const void *from, size_t n) {
    uint8_t *d = to;
    const uint8_t *s = from;
    if ((uintptr_t)d - (uintptr_t)s >= n) {
        for (; n >= 8; n -= 8, d += 8, s += 8) *(word *)d = *(const word *)s;
        for (; n; n--) *d++ = *s++;
        return to;
    }
    d += n, s += n;
    for (; n >= 8; n -= 8) d -= 8, s -= 8, *(word *)d = *(const word *)s;
    for (; n; n--) *--d = *--s;
    return to;
}

void *memset(void *to, int value, size_t n) {
    uint8_t *d = to;
    uint64_t all = (uint8_t)value * ONES;
    for (; n >= 32; n -= 32, d += 32) ((word *)d)[0] = all, ((word *)d)[1] = all, ((word *)d)[2] = all, ((word *)d)[3] = all;
    for (; n >= 8; n -= 8, d += 8) *(word *)d = all;
    for (; n; n--) *d++ = (uint8_t)value;
    return to;
}

int memcmp(const void *left, const void *right, size_t n) {
    const uint8_t *a = left, *b = right;
    for (; n >= 8 && *(const word *)a == *(const word *)b; n -= 8) a += 8, b += 8;
    for (; n; n--, a++, b++)
        if (*a != *b) return *a - *b;
    return 0;
}

void *memchr(const void *s, int c, size_t n) {
    for (const uint8_t *p = s; n; n--, p++)
        if (*p == (uint8_t)c) return (void *)p;
    return 0;
}

size_t strlen(const char *s) {
    const char *p = s;
    for (; (uintptr_t)p % 8; p++)
        if (!*p) return p - s;
    while (!((*(const word *)p - ONES) & ~*(const word *)p & HIGHS)) p += 8; /* aligned: no page beyond the end */
    while (*p) p++;
    return p - s;
}

size_t strnlen(const char *s, size_t n) {
    const char *end = memchr(s, 0, n);
    return end ? (size_t)(end - s) : n;
}

char *strcpy(char *to, const char *from) { return memcpy(to, from, strlen(from) + 1); }

char *strncpy(char *to, const char *from, size_t n) {
    size_t length = strnlen(from, n);
    memset((char *)memcpy(to, from, length) + length, 0, n - length);
    return to;
}

char *strcat(char *to, const char *from) { strcpy(to + strlen(to), from); return to; }

char *strncat(char *to, const char *from, size_t n) {
    size_t length = strnlen(from, n);
    char *end = to + strlen(to);
    memcpy(end, from, length);
    end[length] = 0;
    return to;
}

int strcmp(const char *a, const char *b) {
    for (; *a && *a == *b; a++) b++;
    return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t n) {
    for (; n && *a && *a == *b; a++, n--) b++;
    return n ? (uint8_t)*a - (uint8_t)*b : 0;
}

int strcoll(const char *a, const char *b) { return strcmp(a, b); }

char *strchr(const char *s, int c) {
    for (;; s++) {
        if (*s == (char)c) return (char *)s;
        if (!*s) return 0;
    }
}

char *strrchr(const char *s, int c) {
    const char *found = 0;
    for (;; s++) {
        if (*s == (char)c) found = s;
        if (!*s) return (char *)found;
    }
}

char *strstr(const char *s, const char *part) {
    size_t n = strlen(part);
    for (; *s || !n; s++) {
        if (!strncmp(s, part, n)) return (char *)s;
        if (!*s) break;
    }
    return 0;
}

size_t strcspn(const char *s, const char *set) {
    const char *p = s;
    while (*p && !strchr(set, *p)) p++;
    return p - s;
}

size_t strspn(const char *s, const char *set) {
    const char *p = s;
    while (*p && strchr(set, *p)) p++;
    return p - s;
}

char *strpbrk(const char *s, const char *set) {
    s += strcspn(s, set);
    return *s ? (char *)s : 0;
}

char *strdup(const char *s) {
    size_t n = strlen(s) + 1;
    char *to = malloc(n);
    return to ? memcpy(to, s, n) : 0;
}

char *strtok(char *s, const char *set) {
    static char *rest;
    if (!s) s = rest;
    if (!s) return 0;
    s += strspn(s, set);
    if (!*s) return rest = 0;
    rest = s + strcspn(s, set);
    if (*rest) *rest++ = 0;
    else rest = 0;
    return s;
}

char *strerror(int number) { return (char *)(number ? "error" : "no error"); }
