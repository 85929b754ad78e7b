/* A matcher of regular expressions by backtracking, over text that it makes. The argument is how many lines. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Characters, . [a-z] ^ $, each with * + or ?, and groups with | in them. */
typedef struct { const char *begin, *end; } span;
typedef int (*after)(const char *at, void *context);
typedef struct { const char *pattern; const char *end; after next; void *context; } rest;

static const char *line_start;
static unsigned steps;

static int sequence(const char *pattern, const char *end, const char *at, after next, void *context);

static const char *atom_end(const char *pattern) {
    if (*pattern == '[') { while (*pattern != ']') pattern++; return pattern + 1; }
    if (*pattern == '(') {
        int depth = 0;
        do { depth += *pattern == '(' ? 1 : *pattern == ')' ? -1 : 0; pattern++; } while (depth);
        return pattern;
    }
    return pattern + 1;
}

static int in_class(const char *set, int c) {
    int is_not = set[1] == '^', found = 0;
    for (const char *p = set + 1 + is_not; *p != ']'; p++) {
        if (p[1] == '-' && p[2] != ']') { if (c >= p[0] && c <= p[2]) found = 1; p += 2; }
        else if (*p == c) found = 1;
    }
    return c && found != is_not;
}

static int one(const char *atom, int c) {
    steps++;
    return *atom == '[' ? in_class(atom, c) : *atom == '.' ? c != 0 : *atom == c;
}

static int go_on(const char *at, void *context) {
    rest *r = context;
    return sequence(r->pattern, r->end, at, r->next, r->context);
}

static int group(const char *pattern, const char *end, const char *at, after next, void *context) {
    for (const char *from = pattern;;) { /* alternatives */
        const char *to = from;
        while (to < end && *to != '|') to = atom_end(to);
        if (sequence(from, to, at, next, context)) return 1;
        if (to >= end) return 0;
        from = to + 1;
    }
}

typedef struct { const char *atom, *end, *was; rest *r; } again;
static int repeat(const char *at, void *context) {
    again *a = context;
    if (at == a->was) return 0;
    again more = {a->atom, a->end, at, a->r};
    return group(a->atom + 1, a->end - 1, at, repeat, &more) || go_on(at, a->r);
}

static int sequence(const char *pattern, const char *end, const char *at, after next, void *context) {
    if (pattern >= end) return next(at, context);
    if (*pattern == '^') return at == line_start && sequence(pattern + 1, end, at, next, context);
    if (*pattern == '$') return !*at && sequence(pattern + 1, end, at, next, context);
    const char *stop = atom_end(pattern);
    char how = stop < end ? *stop : 0;
    int is_repeated = how == '*' || how == '+' || how == '?';
    rest r = {stop + is_repeated, end, next, context};
    if (*pattern == '(') {
        if (!is_repeated) return group(pattern + 1, stop - 1, at, go_on, &r);
        if (how == '?') return group(pattern + 1, stop - 1, at, go_on, &r) || go_on(at, &r);
        again a = {pattern, stop, 0, &r};
        return group(pattern + 1, stop - 1, at, repeat, &a) || (how == '*' && go_on(at, &r));
    }
    if (!is_repeated) return one(pattern, *at) && sequence(stop, end, at + 1, next, context);
    const char *most = at, *least = at + (how == '+');
    while (one(pattern, *most) && (how != '?' || most == at)) most++;
    for (; most >= least; most--) if (go_on(most, &r)) return 1;
    return 0;
}

static int found(const char *at, void *context) { *(const char **)context = at; return 1; }

static int search(const char *pattern, const char *text) {
    const char *end;
    line_start = text;
    do if (group(pattern, pattern + strlen(pattern), text, found, &end)) return (int)(end - text);
    while (*text++);
    return -1;
}

int main(int argc, char **argv) {
    static const char *patterns[] = {
        "[a-z]+@[a-z]+(\\.[a-z]+)*", "^(GET|POST) /[a-z/]*", "([0-9]+,)*[0-9]+$", "e.*r.*o", "(a|b|ab)*c", "[^ ]+ [^ ]+ [^ ]+$",
    };
    static const char *words[] = {"GET", "/index/of", "error", "12,34,5", "who@host", "abababc", "POST", "zero"};
    int lines = argc > 1 ? atoi(argv[1]) : 20;
    uint32_t seed = 1;
    int64_t sum = 0;
    for (int i = 0; i < lines; i++) {
        char line[128] = "";
        for (int w = 0; w < 6; w++) {
            seed = seed * 1664525 + 1013904223;
            if (w) strcat(line, " ");
            strcat(line, words[seed >> 29]);
        }
        for (unsigned p = 0; p < sizeof patterns / sizeof *patterns; p++) sum = sum * 3 + search(patterns[p], line);
    }
    printf("%lld %u\n", (long long)sum, steps);
    return 0;
}
