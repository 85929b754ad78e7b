#ifndef _TIME_H
#define _TIME_H
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif
/* There is no clock: `time` is 0, and `clock` counts gas that is left, downwards. */
typedef long time_t;
typedef long clock_t;
#define CLOCKS_PER_SEC 1000000
time_t time(time_t *to);
clock_t clock(void);
#ifdef __cplusplus
}
#endif
#endif
