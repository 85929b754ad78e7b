#ifndef _MATH_H
#define _MATH_H
#ifdef __cplusplus
extern "C" {
#endif
/* In software: most from the compiler's run-time library. */
#define HUGE_VAL __builtin_huge_val()
#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")
#define M_PI 3.14159265358979323846
#define isnan(x) __builtin_isnan(x)
#define isinf(x) __builtin_isinf(x)
#define isfinite(x) __builtin_isfinite(x)
#define signbit(x) __builtin_signbit(x)
double fabs(double), floor(double), ceil(double), trunc(double), round(double), sqrt(double), fmod(double, double);
double sin(double), cos(double), tan(double), exp(double), exp2(double), log(double), log2(double), log10(double);
double pow(double, double), ldexp(double, int), frexp(double, int *), fmin(double, double), fmax(double, double);
double fma(double, double, double), modf(double, double *), hypot(double, double), cbrt(double);
double asin(double), acos(double), atan(double), atan2(double, double), sinh(double), cosh(double), tanh(double);
float fabsf(float), floorf(float), ceilf(float), truncf(float), roundf(float), sqrtf(float), fmodf(float, float);
float sinf(float), cosf(float), tanf(float), expf(float), logf(float), fminf(float, float), fmaxf(float, float);
#ifdef __cplusplus
}
#endif
#endif
