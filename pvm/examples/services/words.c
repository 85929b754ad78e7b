/* Counts words (a JAM service in C, for `pvm cc words.c -o words.jam --metadata words`).

   The payload of a work item is text. Refine finds its words and how often each occurs: octets of the word (1), how often
   (4, little-endian), the word. Accumulate adds that to the storage, where each word has its number. */

#include <pvm.h>
#include <string.h>

enum { PAYLOAD = 13, INPUT = 15, LONGEST = 0x8000, WORDS = 512, SELF = -1 };

static uint8_t text[LONGEST], output[LONGEST];
static struct { const uint8_t *start; uint8_t length; uint32_t count; } words[WORDS];

/* Decodes E(x) at *place, and goes behind it (C.1.1). */
static uint64_t natural(const uint8_t **place) {
    const uint8_t *at = *place;
    uint8_t first = *at++;
    int extra = 0;
    while (extra < 8 && (first & (0x80 >> extra))) extra++;
    uint64_t value = extra == 8 ? 0 : (uint64_t)(first & (0x7f >> extra)) << (8 * extra);
    for (int i = 0; i < extra; i++) value |= (uint64_t)*at++ << (8 * i);
    *place = at;
    return value;
}

static int is_letter(uint8_t octet) {
    return octet >= 0x80 || (octet | 0x20) - 'a' < 26u;
}

static size_t count(const uint8_t *start, size_t length, size_t known) {
    for (size_t i = 0; i < known; i++)
        if (words[i].length == length && !memcmp(words[i].start, start, length)) {
            words[i].count++;
            return known;
        }
    if (known == WORDS || length > 255) return known;
    words[known].start = start;
    words[known].length = (uint8_t)length;
    words[known].count = 1;
    return known + 1;
}

PVM_ENTRY(refine, arguments, length) {
    (void)length;
    natural(&arguments); /* the core */
    uint64_t index = natural(&arguments);
    uint64_t size = pvm_fetch(text, 0, LONGEST, PAYLOAD, index, 0);
    if (size > LONGEST) pvm_panic();
    size_t known = 0;
    for (size_t i = 0; i < size;) {
        size_t start = i;
        while (i < size && is_letter(text[i])) i++;
        if (i > start) known = count(text + start, i - start, known);
        else i++;
    }
    uint8_t *out = output;
    for (size_t i = 0; i < known; i++) {
        *out++ = words[i].length;
        memcpy(out, &words[i].count, 4);
        memcpy(out + 4, words[i].start, words[i].length);
        out += 4 + words[i].length;
    }
    return pvm_result(output, (size_t)(out - output));
}

static void add(const uint8_t *entries, const uint8_t *end) {
    while (entries < end) {
        uint8_t length = *entries;
        uint32_t more, before = 0;
        memcpy(&more, entries + 1, 4);
        pvm_read((uint64_t)SELF, entries + 5, length, &before, 0, 4);
        more += before;
        if (pvm_write(entries + 5, length, &more, 4) == (uint64_t)PVM_FULL) pvm_print("no room for a word");
        entries += 5 + length;
    }
}

PVM_ENTRY(accumulate, arguments, length) {
    (void)length;
    natural(&arguments); /* the slot */
    natural(&arguments); /* the service */
    uint64_t inputs = natural(&arguments);
    for (uint64_t i = 0; i < inputs; i++) {
        if (pvm_fetch(text, 0, LONGEST, INPUT, i, 0) > LONGEST || text[0] != 0) continue; /* a transfer */
        const uint8_t *at = text + 1 + 4 * 32; /* behind four hashes */
        natural(&at);                          /* the gas */
        if (*at++ != 0) continue;              /* there is no output */
        uint64_t size = natural(&at);
        add(at, at + size);
    }
    return pvm_result(0, 0);
}
