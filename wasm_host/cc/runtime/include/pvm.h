/* The PVM and JAM for C: entry points, host calls by name (pvm_calls.h, made from the table of host calls), log, memory.

   An entry point gets the address and length of its arguments and returns those of its result:

       PVM_ENTRY(refine, arguments, length) { return pvm_result(arguments, length); }
*/
#ifndef PVM_H
#define PVM_H

#include <stddef.h>
#include <stdint.h>

#define PVM_NORETURN __attribute__((noreturn))

#ifdef __cplusplus
extern "C" {
#endif

typedef struct { const void *data; size_t length; } pvm_octets; /* returned in a0 and a1, as the PVM wants results */

#include <pvm_calls.h>

void pvm_construct(void);               /* runs what is in .init_array, once; PVM_ENTRY does */
PVM_NORETURN void pvm_halt(pvm_octets result); /* ends the invocation from anywhere */
PVM_NORETURN void pvm_panic(void);
void pvm_print(const char *text);       /* logs a line, level info, without a target */
uint64_t pvm_natural(const uint8_t **at); /* reads a natural number of JAM's codec (C.1.3), and steps over it */
void *pvm_grow(size_t octets);          /* zeroed memory after the heap, or NULL */

static inline pvm_octets pvm_result(const void *data, size_t length) {
    pvm_octets result = {data, length};
    return result;
}

#define PVM_ENTRY(name, arguments, length)                                          \
    static pvm_octets name##_body(const uint8_t *arguments, size_t length);         \
    pvm_octets name(const uint8_t *arguments, size_t length) {                      \
        pvm_construct();                                                            \
        return name##_body(arguments, length);                                      \
    }                                                                               \
    static pvm_octets name##_body(const uint8_t *arguments, size_t length)

/* Where memory is: from the linker. */
extern uint8_t __heap_base[], __heap_end[], __stack_top[], __stack_bottom[];

#ifdef __cplusplus
}
#endif
#endif
