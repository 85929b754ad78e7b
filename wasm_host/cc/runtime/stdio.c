/* printf and its family. Standard output and standard error are logged, with those as targets, line by line. */
#include <pvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct pvm_file { const char *target; size_t target_length; int level; size_t used; char buffer[1024]; };
static struct pvm_file out_file = {"stdout", 6, 2, 0, {0}}, error_file = {"stderr", 6, 1, 0, {0}}, in_file;
#undef stdin
#undef stdout
#undef stderr
FILE *const stdin = &in_file, *const stdout = &out_file, *const stderr = &error_file;

int fflush(FILE *file) {
    if (!file) {
        fflush(&out_file);
        file = &error_file;
    }
    if (file->used) pvm_log(file->level, file->target, file->target_length, file->buffer, file->used);
    file->used = 0;
    return 0;
}

int fputc(int c, FILE *file) {
    file->buffer[file->used++] = (char)c;
    if (c == '\n' || file->used == sizeof file->buffer) fflush(file);
    return (unsigned char)c;
}

int putc(int c, FILE *file) { return fputc(c, file); }
int putchar(int c) { return fputc(c, &out_file); }
size_t fwrite(const void *data, size_t size, size_t n, FILE *file) {
    for (size_t i = 0; i < size * n; i++) fputc(((const char *)data)[i], file);
    return n;
}
int fputs(const char *s, FILE *file) { fwrite(s, 1, strlen(s), file); return 0; }
int puts(const char *s) { fputs(s, &out_file); return putchar('\n'); }
int fgetc(FILE *file) { (void)file; return EOF; }
int getc(FILE *file) { return fgetc(file); }
int getchar(void) { return EOF; }
char *fgets(char *to, int n, FILE *file) { (void)to; (void)n; (void)file; return 0; }
int ungetc(int c, FILE *file) { (void)c; (void)file; return EOF; }
FILE *fopen(const char *name, const char *mode) { (void)name; (void)mode; return 0; }
FILE *freopen(const char *name, const char *mode, FILE *file) { (void)name; (void)mode; (void)file; return 0; }
int fclose(FILE *file) { return fflush(file); }
size_t fread(void *to, size_t size, size_t n, FILE *file) { (void)to; (void)size; (void)n; (void)file; return 0; }
void clearerr(FILE *file) { (void)file; }
int feof(FILE *file) { return file == &in_file; }
int ferror(FILE *file) { (void)file; return 0; }
void perror(const char *text) { fprintf(&error_file, "%s: error\n", text); }

/* Where characters go: a file, or memory of `room` octets. */
struct sink { FILE *file; char *to; size_t room, count; };

static void put(struct sink *sink, char c) {
    if (sink->file) fputc(c, sink->file);
    else if (sink->count < sink->room) sink->to[sink->count] = c;
    sink->count++;
}

static void put_all(struct sink *sink, const char *s, size_t n) { while (n--) put(sink, *s++); }
static void pad(struct sink *sink, char c, long n) { while (n-- > 0) put(sink, c); }

enum { LEFT = 1, PLUS = 2, SPACE = 4, ALTERNATE = 8, ZEROS = 16, UPPER = 32 };

/* A prefix, zeros to the width if asked for, and the body. */
static void put_number(struct sink *sink, int flags, long width, const char *prefix, const char *body, size_t n) {
    size_t before = strlen(prefix);
    long left = width - (long)(before + n);
    if (!(flags & (LEFT | ZEROS))) pad(sink, ' ', left);
    put_all(sink, prefix, before);
    if (flags & ZEROS && !(flags & LEFT)) pad(sink, '0', left);
    put_all(sink, body, n);
    if (flags & LEFT) pad(sink, ' ', left);
}

static void put_integer(struct sink *sink, int flags, long width, long precision, unsigned long value, int base, const char *prefix) {
    char text[96];
    const char *digits = flags & UPPER ? "0123456789ABCDEF" : "0123456789abcdef";
    size_t at = sizeof text;
    for (; value; value /= base) text[--at] = digits[value % base];
    if (precision < 0) precision = 1;
    else flags &= ~ZEROS;
    if (precision > 64) precision = 64;
    while ((long)(sizeof text - at) < precision) text[--at] = '0';
    if (base == 8 && flags & ALTERNATE && (at == sizeof text || text[at] != '0')) text[--at] = '0';
    put_number(sink, flags, width, prefix, text + at, sizeof text - at);
}

/* The exact decimal digits of a finite value: `digits` (0 to 9) of which `point` come before the point. */
#define LIMBS 160
static int all_digits(double value, unsigned char *digits, int *point) {
    static uint32_t limbs[LIMBS]; /* base 10^9, the last is the least; a fraction is kept as value times 10^(9k) */
    uint64_t bits;
    memcpy(&bits, &value, 8);
    int exponent = (int)(bits >> 52 & 2047);
    uint64_t mantissa = bits & 0xfffffffffffffull;
    if (exponent) mantissa |= 1ull << 52;
    else exponent = 1;
    exponent -= 1075;
    memset(limbs, 0, sizeof limbs);
    int first = LIMBS, scaled = 0;
    for (; mantissa; mantissa /= 1000000000) limbs[--first] = (uint32_t)(mantissa % 1000000000);
    /* value = limbs * 2^exponent. For a negative exponent multiply by 5 and count tenths: x / 2 = 5 x / 10. */
    int steps = exponent < 0 ? -exponent : exponent;
    while (steps) {
        int now = steps < 13 ? steps : 13;
        uint64_t factor = 1, carry = 0;
        for (int i = 0; i < now; i++) factor *= exponent < 0 ? 5 : 2;
        for (int i = LIMBS - 1; i >= first; i--) {
            uint64_t product = limbs[i] * factor + carry;
            limbs[i] = (uint32_t)(product % 1000000000);
            carry = product / 1000000000;
        }
        for (; carry; carry /= 1000000000) limbs[--first] = (uint32_t)(carry % 1000000000);
        if (exponent < 0) scaled += now;
        steps -= now;
    }
    int count = 0;
    for (int i = first; i < LIMBS; i++) {
        uint32_t limb = limbs[i];
        for (int k = 8; k >= 0; k--) digits[count + k] = limb % 10, limb /= 10;
        count += 9;
    }
    *point = count - scaled;
    int zeros = 0;
    while (zeros < count && !digits[zeros]) zeros++;
    memmove(digits, digits + zeros, count - zeros);
    *point -= zeros;
    return count - zeros;
}

/* Keep `keep` digits, the rest rounded to even; gives how many there are. */
static int round_digits(unsigned char *digits, int count, int keep, int *point) {
    if (keep >= count) return count;
    if (keep < 0) return 0;
    int up = digits[keep] > 5;
    if (digits[keep] == 5) {
        for (int i = keep + 1; i < count; i++) up |= digits[i] != 0;
        up |= keep > 0 && digits[keep - 1] & 1;
    }
    if (!up) return keep;
    for (int i = keep - 1; i >= 0; i--) {
        if (++digits[i] < 10) return keep;
        digits[i] = 0;
    }
    memmove(digits + 1, digits, keep);
    digits[0] = 1;
    ++*point;
    return keep + 1;
}

static void put_double(struct sink *sink, int flags, long width, long precision, double value, char kind) {
    static unsigned char digits[9 * LIMBS + 2];
    static char text[9 * LIMBS + 64];
    const char *prefix = __builtin_signbit(value) ? "-" : flags & PLUS ? "+" : flags & SPACE ? " " : "";
    if (__builtin_isnan(value) || __builtin_isinf(value)) {
        const char *name = __builtin_isnan(value) ? flags & UPPER ? "NAN" : "nan" : flags & UPPER ? "INF" : "inf";
        put_number(sink, flags & ~ZEROS, width, prefix, name, 3);
        return;
    }
    if (precision < 0) precision = 6;
    if (precision > 1000) precision = 1000;
    int point, count = all_digits(value, digits, &point);
    int is_zero = count == 0, strip = 0;
    if (is_zero) point = 1;
    if (kind == 'g') {
        if (!precision) precision = 1;
        count = round_digits(digits, count, (int)precision, &point);
        int x = is_zero ? 0 : point - 1;
        strip = !(flags & ALTERNATE);
        if (x < -4 || x >= precision) kind = 'e', precision--;
        else kind = 'f', precision -= 1 + x;
    } else count = round_digits(digits, count, (int)(kind == 'e' ? precision + 1 : precision + point), &point);
    size_t n = 0;
    int at = kind == 'e' ? 1 : point; /* digits before the point */
    if (kind == 'e') text[n++] = is_zero ? '0' : (char)('0' + digits[0]);
    else if (at <= 0) text[n++] = '0';
    else for (int i = 0; i < at; i++) text[n++] = i < count ? (char)('0' + digits[i]) : '0';
    size_t dot = n;
    text[n++] = '.';
    for (long i = 0; i < precision; i++) {
        long from = at + i;
        text[n++] = from >= 0 && from < count ? (char)('0' + digits[from]) : '0';
    }
    if (strip) while (n > dot + 1 && text[n - 1] == '0') n--;
    if (n == dot + 1 && !(flags & ALTERNATE)) n--;
    if (kind == 'e') {
        int x = is_zero ? 0 : point - 1;
        text[n++] = flags & UPPER ? 'E' : 'e';
        text[n++] = x < 0 ? '-' : '+';
        if (x < 0) x = -x;
        if (x >= 100) text[n++] = (char)('0' + x / 100);
        text[n++] = (char)('0' + x / 10 % 10);
        text[n++] = (char)('0' + x % 10);
    }
    put_number(sink, flags, width, prefix, text, n);
}

static void format(struct sink *sink, const char *f, va_list list) {
    for (; *f; f++) {
        if (*f != '%') { put(sink, *f); continue; }
        int flags = 0, size = 0;
        for (f++;; f++) {
            if (*f == '-') flags |= LEFT;
            else if (*f == '+') flags |= PLUS;
            else if (*f == ' ') flags |= SPACE;
            else if (*f == '#') flags |= ALTERNATE;
            else if (*f == '0') flags |= ZEROS;
            else break;
        }
        long width = 0, precision = -1;
        if (*f == '*') {
            width = va_arg(list, int), f++;
            if (width < 0) flags |= LEFT, width = -width;
        } else while ((unsigned)*f - '0' < 10) width = width * 10 + *f++ - '0';
        if (*f == '.') {
            precision = 0;
            if (*++f == '*') precision = va_arg(list, int), f++;
            else while ((unsigned)*f - '0' < 10) precision = precision * 10 + *f++ - '0';
        }
        for (;; f++) {
            if (*f == 'h') size--;
            else if (*f == 'l' || *f == 'z' || *f == 'j' || *f == 't') size = 1;
            else if (*f == 'L') size = 5;
            else break;
        }
        char kind = *f;
        if (kind == 'X' || kind == 'E' || kind == 'F' || kind == 'G') flags |= UPPER, kind |= 32;
        switch (kind) {
        case 'd': case 'i': {
            long value = size == 1 ? va_arg(list, long) : va_arg(list, int);
            if (size == -1) value = (short)value;
            if (size == -2) value = (signed char)value;
            put_integer(sink, flags, width, precision, value < 0 ? -(unsigned long)value : (unsigned long)value, 10,
                        value < 0 ? "-" : flags & PLUS ? "+" : flags & SPACE ? " " : "");
            break;
        }
        case 'u': case 'x': case 'o': {
            unsigned long value = size == 1 ? va_arg(list, unsigned long) : va_arg(list, unsigned);
            if (size == -1) value = (unsigned short)value;
            if (size == -2) value = (unsigned char)value;
            const char *prefix = kind == 'x' && flags & ALTERNATE && value ? flags & UPPER ? "0X" : "0x" : "";
            put_integer(sink, flags, width, precision, value, kind == 'u' ? 10 : kind == 'x' ? 16 : 8, prefix);
            break;
        }
        case 'p': put_integer(sink, flags, width, precision, (unsigned long)va_arg(list, void *), 16, "0x"); break;
        case 'c': {
            char c = (char)va_arg(list, int);
            put_number(sink, flags & ~ZEROS, width, "", &c, 1);
            break;
        }
        case 's': {
            const char *s = va_arg(list, const char *);
            if (!s) s = "(null)";
            put_number(sink, flags & ~ZEROS, width, "", s, precision < 0 ? strlen(s) : strnlen(s, precision));
            break;
        }
        case 'f': case 'e': case 'g':
            put_double(sink, flags, width, precision, size == 5 ? (double)va_arg(list, long double) : va_arg(list, double), kind);
            break;
        case '%': put(sink, '%'); break;
        default: return;
        }
    }
}

int vfprintf(FILE *file, const char *f, va_list list) {
    struct sink sink = {file, 0, 0, 0};
    format(&sink, f, list);
    return (int)sink.count;
}

int vsnprintf(char *to, size_t n, const char *f, va_list list) {
    struct sink sink = {0, to, n ? n - 1 : 0, 0};
    format(&sink, f, list);
    if (n) to[sink.count < n - 1 ? sink.count : n - 1] = 0;
    return (int)sink.count;
}

int vsprintf(char *to, const char *f, va_list list) { return vsnprintf(to, (size_t)1 << 30, f, list); }
int vprintf(const char *f, va_list list) { return vfprintf(&out_file, f, list); }

#define FORWARD(call) va_list list; va_start(list, f); int count_ = call; va_end(list); return count_
int printf(const char *f, ...) { FORWARD(vfprintf(&out_file, f, list)); }
int fprintf(FILE *file, const char *f, ...) { FORWARD(vfprintf(file, f, list)); }
int sprintf(char *to, const char *f, ...) { FORWARD(vsprintf(to, f, list)); }
int snprintf(char *to, size_t n, const char *f, ...) { FORWARD(vsnprintf(to, n, f, list)); }
