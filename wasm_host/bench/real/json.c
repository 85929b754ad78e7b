/* A JSON parser that makes a tree, sums it up, and writes it again. The argument is how many rounds. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NIL, BOOL, NUMBER, STRING, ARRAY, OBJECT };
typedef struct node { int kind; int64_t number; const char *text; unsigned length; struct node *key, *first, *next; } node;

static node pool[20000];
static unsigned used;
static const char *at;
static char text[60000], written[80000];
static unsigned size;

static node *make(int kind) { node *n = &pool[used++]; memset(n, 0, sizeof *n); n->kind = kind; return n; }
static void skip(void) { while (*at == ' ' || *at == '\n' || *at == '\t') at++; }

static node *value(void);

static node *string(void) {
    node *n = make(STRING);
    n->text = ++at;
    while (*at != '"') at += *at == '\\' ? 2 : 1;
    n->length = (unsigned)(at++ - n->text);
    return n;
}

static node *list(int kind, char last) {
    node *n = make(kind), **to = &n->first;
    at++;
    skip();
    while (*at != last) {
        node *key = 0;
        if (kind == OBJECT) { key = string(); skip(); at++; }
        *to = value();
        (*to)->key = key;
        to = &(*to)->next;
        skip();
        if (*at == ',') { at++; skip(); }
    }
    at++;
    return n;
}

static node *number(void) {
    node *n = make(NUMBER);
    int minus = *at == '-';
    at += minus;
    while (*at >= '0' && *at <= '9') n->number = n->number * 10 + (*at++ - '0');
    if (minus) n->number = -n->number;
    return n;
}

static node *value(void) {
    skip();
    switch (*at) {
    case '{': return list(OBJECT, '}');
    case '[': return list(ARRAY, ']');
    case '"': return string();
    case 't': at += 4; { node *n = make(BOOL); n->number = 1; return n; }
    case 'f': at += 5; return make(BOOL);
    case 'n': at += 4; return make(NIL);
    default: return number();
    }
}

static int64_t total(const node *n) {
    int64_t found = n->number + n->kind;
    for (unsigned i = 0; i < n->length; i++) found = found * 31 + n->text[i];
    for (const node *child = n->first; child; child = child->next) found += total(child);
    return found;
}

static void put(char c) { written[size++] = c; }
static void put_number(int64_t v) {
    if (v < 0) { put('-'); v = -v; }
    if (v > 9) put_number(v / 10);
    put((char)('0' + v % 10));
}
static void put_string(const node *n) {
    put('"');
    for (unsigned i = 0; i < n->length; i++) put(n->text[i]);
    put('"');
}

static void write_node(const node *n) {
    switch (n->kind) {
    case NIL: put('n'); put('u'); put('l'); put('l'); break;
    case BOOL: for (const char *c = n->number ? "true" : "false"; *c; c++) put(*c); break;
    case NUMBER: put_number(n->number); break;
    case STRING: put_string(n); break;
    default:
        put(n->kind == OBJECT ? '{' : '[');
        for (const node *child = n->first; child; child = child->next) {
            if (child->key) { put_string(child->key); put(':'); }
            write_node(child);
            if (child->next) put(',');
        }
        put(n->kind == OBJECT ? '}' : ']');
    }
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 2;
    char *to = text;
    *to++ = '[';
    for (int i = 0; i < 150; i++)
        to += sprintf(to, "%s{\"id\": %d, \"name\": \"user \\\"%d\\\"\", \"tags\": [\"a%d\", \"b\", null, true], "
                      "\"at\": {\"x\": %d, \"y\": -%d, \"deep\": [[%d, [%d]], false]}}",
                      i ? ", " : "", i, i * 7919 % 1000, i % 10, i * 31, i * 17, i, i * i);
    strcpy(to, "]");
    int64_t sum = 0;
    for (int i = 0; i < rounds; i++) {
        used = size = 0;
        at = text;
        node *root = value();
        sum = sum * 7 + total(root);
        write_node(root);
        sum += size;
    }
    printf("%lld %u\n", (long long)sum, used);
    return 0;
}
