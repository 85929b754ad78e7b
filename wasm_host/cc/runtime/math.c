/* What the compiler's run-time library lacks of math.h; in 113 bits where that helps. Others are within a few units. */
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef long double wide;

double frexp(double x, int *exponent) {
    uint64_t bits;
    memcpy(&bits, &x, 8);
    int e = (int)(bits >> 52 & 2047);
    *exponent = 0;
    if (e == 2047 || x == 0) return x;
    if (!e) {
        x = frexp(x * 0x1p64, exponent);
        *exponent -= 64;
        return x;
    }
    *exponent = e - 1022;
    bits = (bits & ~(2047ull << 52)) | 1022ull << 52;
    memcpy(&x, &bits, 8);
    return x;
}

double modf(double x, double *whole) {
    *whole = trunc(x);
    return isinf(x) ? 0 * x : x - *whole;
}

static wide power(wide x, uint64_t n) {
    wide result = 1;
    for (; n; n >>= 1, x *= x)
        if (n & 1) result *= x;
    return result;
}

double pow(double x, double y) {
    if (y == 0 || x == 1) return 1;
    if (isnan(x) || isnan(y)) return x + y;
    int is_whole = y == trunc(y) && fabs(y) < 0x1p62;
    if (is_whole && fabs(y) < 0x1p31 && x != 0 && !isinf(x)) {
        wide result = power(x, (uint64_t)fabs(y));
        return (double)(y < 0 ? 1 / result : result);
    }
    int is_odd = is_whole && (int64_t)y & 1;
    if (x == 0 || isinf(x) || isinf(y)) {
        if (isinf(y)) return fabs(x) == 1 ? 1 : (fabs(x) > 1) == (y > 0) ? INFINITY : 0;
        double size = (x == 0) == (y > 0) ? 0 : INFINITY;
        return is_odd ? __builtin_copysign(size, x) : size;
    }
    if (x < 0 && !is_whole) return NAN;
    double size = exp(y * log(fabs(x)));
    return x < 0 && is_odd ? -size : size;
}

/* By the series, after the argument was halved thrice: atan x = 2 atan(x / (1 + sqrt(1 + x x))). */
double atan(double x) {
    if (isnan(x) || x == 0) return x;
    if (isinf(x)) return __builtin_copysign(M_PI / 2, x);
    wide t = x, scale = 1;
    for (int i = 0; i < 3; i++) {
        wide root = sqrt((double)(1 + t * t));
        root = (root + (1 + t * t) / root) / 2;
        t /= 1 + root;
        scale *= 2;
    }
    wide square = t * t, term = t, sum = 0;
    for (int n = 1; n < 60; n += 2) {
        sum += term / n;
        term *= -square;
    }
    return (double)(scale * sum);
}

double atan2(double y, double x) {
    if (isnan(x) || isnan(y)) return x + y;
    if (x > 0) return atan(y / x);
    if (x == 0 && y == 0) return signbit(x) ? __builtin_copysign(M_PI, y) : y;
    if (x == 0) return __builtin_copysign(M_PI / 2, y);
    return atan(y / x) + __builtin_copysign(M_PI, y);
}

double asin(double x) { return fabs(x) > 1 ? NAN : atan2(x, sqrt((1 - x) * (1 + x))); }
double acos(double x) { return fabs(x) > 1 ? NAN : atan2(sqrt((1 - x) * (1 + x)), x); }
double sinh(double x) { return (exp(x) - exp(-x)) / 2; }
double cosh(double x) { return (exp(x) + exp(-x)) / 2; }
double tanh(double x) { return fabs(x) > 20 ? __builtin_copysign(1, x) : sinh(x) / cosh(x); }
double hypot(double x, double y) { return sqrt(x * x + y * y); }
double cbrt(double x) { return __builtin_copysign(pow(fabs(x), 1.0 / 3), x); }

double ldexp(double x, int n) {
    n = n > 3000 ? 3000 : n < -3000 ? -3000 : n;
    wide factor = power(2, (uint64_t)(n < 0 ? -n : n));
    return (double)(n < 0 ? x / factor : x * factor); /* rounded once */
}
