#ifndef _SETJMP_H
#define _SETJMP_H
#ifdef __cplusplus
extern "C" {
#endif
typedef long jmp_buf[4]; /* ra, sp, s0, s1 */
int setjmp(jmp_buf to) __attribute__((returns_twice));
__attribute__((noreturn)) void longjmp(jmp_buf to, int value);
#define _setjmp setjmp
#define _longjmp longjmp
#ifdef __cplusplus
}
#endif
#endif
