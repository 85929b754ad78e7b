/* malloc: a free list for each of four sizes between powers of two; blocks come from the heap, then from more of it. */
#include <pvm.h>
#include <stdlib.h>
#include <string.h>

#define HEADER 16
#define CLASSES 128

static struct block { struct block *next; } *free_lists[CLASSES];
static uint8_t *next_octet, *end_octet;

#ifdef PVM_SPEC_080
void *pvm_grow(size_t octets) { /* the host counts pages of 4 KiB; one that has no such call answers otherwise */
    uint64_t page = pvm_grow_heap(0), wanted = page + octets / 4096 + (octets % 4096 != 0);
    if (page >> 20 || octets >> 32 || pvm_grow_heap(wanted) != wanted) return 0;
    return (void *)(page << 12);
}
#else
void *pvm_grow(size_t octets) {
    uint64_t old;
    __asm__ volatile(".insn r 0x0b, 1, 0, %0, %1, x0" : "=r"(old) : "r"(octets) : "memory");
    return (void *)old;
}
#endif

static unsigned class_of(size_t n) { /* n >= 16; classes grow by a quarter of a power of two */
    unsigned log = 63 - __builtin_clzl(n);
    size_t step = (size_t)1 << (log - 2);
    return 4 * log + (unsigned)((n - ((size_t)1 << log) + step - 1) / step);
}

static size_t size_of(unsigned class) {
    return ((size_t)1 << class / 4) + (class % 4) * ((size_t)1 << (class / 4 - 2));
}

void *malloc(size_t n) {
    if (n > ((size_t)1 << 31)) return 0;
    unsigned class = class_of(n < 16 ? 16 : n);
    struct block *block = free_lists[class];
    if (block) {
        free_lists[class] = block->next;
        return block;
    }
    size_t size = (size_of(class) + HEADER + 15) & ~(size_t)15;
    if (!next_octet) next_octet = __heap_base, end_octet = __heap_end;
    if ((size_t)(end_octet - next_octet) < size) {
        size_t more = (size + 0xffff) & ~(size_t)0xffff;
        uint8_t *grown = pvm_grow(more);
        if (!grown) return 0;
        if (grown != end_octet) next_octet = (uint8_t *)(((uintptr_t)grown + 15) & ~(uintptr_t)15);
        end_octet = grown + more;
    }
    uint8_t *at = next_octet;
    next_octet += size;
    *(uint64_t *)at = class;
    return at + HEADER;
}

void free(void *pointer) {
    if (!pointer) return;
    struct block *block = pointer;
    uint64_t class = *(uint64_t *)((uint8_t *)pointer - HEADER);
    block->next = free_lists[class];
    free_lists[class] = block;
}

void *calloc(size_t n, size_t size) {
    size_t all;
    if (__builtin_mul_overflow(n, size, &all)) return 0;
    void *found = malloc(all);
    return found ? memset(found, 0, all) : 0;
}

void *realloc(void *old, size_t n) {
    if (!old) return malloc(n);
    size_t had = size_of((unsigned)*(uint64_t *)((uint8_t *)old - HEADER));
    if (n <= had && n >= had / 4) return old;
    void *found = malloc(n);
    if (!found) return 0;
    memcpy(found, old, n < had ? n : had);
    free(old);
    return found;
}

/* C++'s new and delete; without exceptions, no memory is a panic. */
void *_Znwm(size_t n) {
    void *found = malloc(n);
    if (!found) pvm_panic();
    return found;
}
void *_Znam(size_t n) { return _Znwm(n); }
void _ZdlPv(void *block) { free(block); }
void _ZdaPv(void *block) { free(block); }
void _ZdlPvm(void *block, size_t n) { (void)n; free(block); }
void _ZdaPvm(void *block, size_t n) { (void)n; free(block); }
