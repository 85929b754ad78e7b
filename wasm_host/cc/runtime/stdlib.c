/* Numbers from text, sorting, chance. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int abs(int x) { return x < 0 ? -x : x; }
long labs(long x) { return x < 0 ? -x : x; }
long long llabs(long long x) { return x < 0 ? -x : x; }
div_t div(int a, int b) { div_t d = {a / b, a % b}; return d; }
ldiv_t ldiv(long a, long b) { ldiv_t d = {a / b, a % b}; return d; }
char *getenv(const char *name) { (void)name; return 0; }
int system(const char *command) { (void)command; return 0; }

static unsigned long parse(const char *s, char **end, int base, int *is_negative, int *overflows) {
    const char *start = s;
    while (isspace((uint8_t)*s)) s++;
    *is_negative = *s == '-';
    if (*s == '-' || *s == '+') s++;
    if ((base == 0 || base == 16) && s[0] == '0' && (s[1] | 32) == 'x' && isxdigit((uint8_t)s[2])) s += 2, base = 16;
    if (base == 0) base = *s == '0' ? 8 : 10;
    unsigned long value = 0;
    const char *first = s;
    *overflows = 0;
    for (;; s++) {
        int digit = isdigit((uint8_t)*s) ? *s - '0' : isalpha((uint8_t)*s) ? (*s | 32) - 'a' + 10 : 99;
        if (digit >= base) break;
        *overflows |= __builtin_mul_overflow(value, (unsigned long)base, &value);
        *overflows |= __builtin_add_overflow(value, (unsigned long)digit, &value);
    }
    if (end) *end = (char *)(s == first ? start : s);
    return value;
}

unsigned long strtoul(const char *s, char **end, int base) {
    int is_negative, overflows;
    unsigned long value = parse(s, end, base, &is_negative, &overflows);
    if (overflows) return errno = ERANGE, ULONG_MAX;
    return is_negative ? -value : value;
}

long strtol(const char *s, char **end, int base) {
    int is_negative, overflows;
    unsigned long value = parse(s, end, base, &is_negative, &overflows);
    if (overflows || value > (unsigned long)LONG_MAX + is_negative) return errno = ERANGE, is_negative ? LONG_MIN : LONG_MAX;
    return is_negative ? (long)-value : (long)value;
}

unsigned long long strtoull(const char *s, char **end, int base) { return strtoul(s, end, base); }
long long strtoll(const char *s, char **end, int base) { return strtol(s, end, base); }
int atoi(const char *s) { return (int)strtol(s, 0, 10); }
long atol(const char *s) { return strtol(s, 0, 10); }

/* In 113 bits, so that rounding to 53 is right but for the rarest of ties. */
double strtod(const char *s, char **end) {
    const char *start = s;
    while (isspace((uint8_t)*s)) s++;
    int is_negative = *s == '-';
    if (*s == '-' || *s == '+') s++;
    int is_hex = s[0] == '0' && (s[1] | 32) == 'x';
    if (is_hex) s += 2;
    long double value = 0;
    int exponent = 0, digits = 0, is_fraction = 0;
    for (;; s++) {
        if (*s == '.' && !is_fraction) { is_fraction = 1; continue; }
        if (!(is_hex ? isxdigit((uint8_t)*s) : isdigit((uint8_t)*s))) break;
        int digit = isdigit((uint8_t)*s) ? *s - '0' : (*s | 32) - 'a' + 10;
        digits++;
        if (value < 1e31L) {
            value = value * (is_hex ? 16 : 10) + digit;
            exponent -= is_fraction;
        } else exponent += !is_fraction;
    }
    if (!digits) {
        if (end) *end = (char *)(is_hex ? s - 1 : start);
        return 0;
    }
    if (is_hex) exponent *= 4;
    if ((*s | 32) == (is_hex ? 'p' : 'e')) {
        char *after;
        long more = (isdigit((uint8_t)s[1]) || ((s[1] == '-' || s[1] == '+') && isdigit((uint8_t)s[2]))) ? strtol(s + 1, &after, 10) : (after = (char *)s, 0);
        s = after;
        exponent += more > 9999 ? 9999 : more < -9999 ? -9999 : (int)more;
    }
    if (end) *end = (char *)s;
    long double scale = 1, power = is_hex ? 2 : 10;
    if (value != 0) {
        for (unsigned n = exponent < 0 ? -exponent : exponent; n; n >>= 1, power *= power)
            if (n & 1) scale *= power;
        value = exponent < 0 ? value / scale : value * scale;
    }
    return (double)(is_negative ? -value : value);
}

float strtof(const char *s, char **end) { return (float)strtod(s, end); }
double atof(const char *s) { return strtod(s, 0); }

static uint64_t chance = 1;
void srand(unsigned seed) { chance = seed; }
int rand(void) {
    chance = chance * 6364136223846793005u + 1442695040888963407u;
    return (int)(chance >> 33);
}

static void swap(char *a, char *b, size_t size) {
    while (size--) { char t = *a; *a++ = *b; *b++ = t; }
}

/* A heap sort: no input takes longer than n log n, and it needs no memory. */
void qsort(void *base, size_t n, size_t size, int (*compare)(const void *, const void *)) {
    char *items = base;
    if (n < 2) return;
    size_t start = n / 2, end = n;
    while (end > 1) {
        if (start) start--;
        else swap(items, items + --end * size, size);
        for (size_t root = start, child; (child = 2 * root + 1) < end; root = child) {
            if (child + 1 < end && compare(items + child * size, items + (child + 1) * size) < 0) child++;
            if (compare(items + root * size, items + child * size) >= 0) break;
            swap(items + root * size, items + child * size, size);
        }
    }
}

void *bsearch(const void *key, const void *base, size_t n, size_t size, int (*compare)(const void *, const void *)) {
    const char *items = base;
    while (n) {
        const char *middle = items + n / 2 * size;
        int order = compare(key, middle);
        if (!order) return (void *)middle;
        if (order > 0) items = middle + size, n -= n / 2 + 1;
        else n /= 2;
    }
    return 0;
}
