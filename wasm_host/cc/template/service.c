/* NAME: a store of keys and values, as a JAM service.

   The payload of a work item is a list of entries: octets of the key (1), octets of the value (2, little-endian), key,
   value. Without a value the key is taken away. Refine checks that the list is whole, and returns it; accumulate writes
   it to the storage, and counts the entries under the key "count". */
#include <pvm.h>

enum { PAYLOAD = 13, INPUT = 15 }; /* kinds of fetch */
static const uint64_t SELF = -1;
static uint8_t buffer[0x20000];

static size_t entry_size(const uint8_t *entry, const uint8_t *end) {
    if (end - entry < 3 || entry[0] == 0) return 0;
    size_t size = 3 + entry[0] + (entry[1] | entry[2] << 8);
    return size <= (size_t)(end - entry) ? size : 0;
}

PVM_ENTRY(refine, arguments, length) {
    (void)length;
    pvm_natural(&arguments); /* the core */
    uint64_t index = pvm_natural(&arguments), size = pvm_fetch(buffer, 0, sizeof buffer, PAYLOAD, index, 0);
    if (size > sizeof buffer) pvm_panic(); /* too long, or none */
    const uint8_t *end = buffer + size;
    for (const uint8_t *entry = buffer; entry < end;) {
        size_t octets = entry_size(entry, end);
        if (!octets) pvm_panic();
        entry += octets;
    }
    return pvm_result(buffer, size);
}

PVM_ENTRY(accumulate, arguments, length) {
    (void)length;
    pvm_natural(&arguments); /* the slot */
    pvm_natural(&arguments); /* the service */
    uint64_t inputs = pvm_natural(&arguments), count = 0;
    pvm_read(SELF, "count", 5, &count, 0, sizeof count);
    for (uint64_t input = 0; input < inputs; input++) {
        pvm_fetch(buffer, 0, sizeof buffer, INPUT, input, 0);
        const uint8_t *at = buffer + 1 + 4 * 32; /* behind the kind and four hashes */
        if (buffer[0] != 0) {
            pvm_print("received a transfer");
            continue;
        }
        pvm_natural(&at); /* gas */
        if (*at++ != 0) {
            pvm_print("an item has no output");
            continue;
        }
        size_t size = pvm_natural(&at);
        for (const uint8_t *entry = at, *end = at + size; entry < end; entry += entry_size(entry, end)) {
            const uint8_t *key = entry + 3;
            pvm_write(key, entry[0], key + entry[0], entry[1] | entry[2] << 8);
            count++;
        }
    }
    pvm_write("count", 5, &count, sizeof count);
    return pvm_result(0, 0);
}
