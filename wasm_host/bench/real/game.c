/* A game's loop: things that move, meet and are drawn, by tables of functions. The argument is how many frames. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 96, HEIGHT = 64, THINGS = 64, CELLS = 8 };
struct thing;
typedef struct { void (*move)(struct thing *); void (*meet)(struct thing *, struct thing *); uint8_t colour; int size; } kind;
typedef struct thing { const kind *kind; int32_t x, y, dx, dy; int life; struct thing *next; } thing;

static thing things[THINGS], *cells[CELLS][CELLS];
static uint8_t screen[WIDTH * HEIGHT];
static uint32_t seed = 5;
static int16_t waves[256];

static uint32_t chance(void) { seed ^= seed << 13; seed ^= seed >> 17; seed ^= seed << 5; return seed; }
static int clamp(int v, int low, int high) { return v < low ? low : v > high ? high : v; }

static void bounce(thing *t) {
    t->x += t->dx;
    t->y += t->dy;
    if (t->x < 0 || t->x >= WIDTH << 8) { t->dx = -t->dx; t->x = clamp(t->x, 0, (WIDTH << 8) - 1); }
    if (t->y < 0 || t->y >= HEIGHT << 8) { t->dy = -t->dy; t->y = clamp(t->y, 0, (HEIGHT << 8) - 1); }
}
static void wander(thing *t) {
    t->dx = clamp(t->dx + (int)(chance() % 65) - 32, -400, 400);
    t->dy = clamp(t->dy + waves[(t->x >> 8) & 255] / 16, -400, 400);
    bounce(t);
}
static void exchange(thing *a, thing *b) {
    int32_t x = a->dx, y = a->dy;
    a->dx = b->dx; a->dy = b->dy; b->dx = x; b->dy = y;
}
static void bite(thing *a, thing *b) {
    b->life -= 3;
    a->life += 2;
    if (b->life < 0) { b->life = 100; b->x = (int32_t)(chance() % (WIDTH << 8)); b->y = (int32_t)(chance() % (HEIGHT << 8)); }
}
static const kind kinds[] = {{bounce, exchange, 1, 2}, {wander, exchange, 2, 3}, {wander, bite, 3, 1}};

static void put(int x, int y, uint8_t colour) {
    if (x >= 0 && x < WIDTH && y >= 0 && y < HEIGHT) screen[y * WIDTH + x] = (uint8_t)(screen[y * WIDTH + x] / 2 + colour * 16);
}
static void draw(const thing *t) {
    int x = t->x >> 8, y = t->y >> 8, size = t->kind->size;
    for (int dy = -size; dy <= size; dy++)
        for (int dx = -size; dx <= size; dx++)
            if (dx * dx + dy * dy <= size * size) put(x + dx, y + dy, t->kind->colour);
}
static int near(const thing *a, const thing *b) {
    int64_t dx = a->x - b->x, dy = a->y - b->y, reach = (int64_t)(a->kind->size + b->kind->size) << 8;
    return dx * dx + dy * dy < reach * reach;
}
static int cell(int32_t v, int across) { return clamp((v >> 8) * CELLS / across, 0, CELLS - 1); }

static void frame(void) {
    memset(cells, 0, sizeof cells);
    for (int i = 0; i < THINGS; i++) {
        thing *t = &things[i];
        t->kind->move(t);
        thing **to = &cells[cell(t->y, HEIGHT)][cell(t->x, WIDTH)];
        t->next = *to;
        *to = t;
    }
    for (int y = 0; y < CELLS; y++)
        for (int x = 0; x < CELLS; x++)
            for (thing *a = cells[y][x]; a; a = a->next)
                for (thing *b = a->next; b; b = b->next) if (near(a, b)) a->kind->meet(a, b);
    for (int i = 0; i < THINGS; i++) draw(&things[i]);
}

int main(int argc, char **argv) {
    int frames = argc > 1 ? atoi(argv[1]) : 5;
    uint32_t sum = 0;
    for (int i = 0, v = 0, d = 800; i < 256; i++, v += d, d -= v / 40) waves[i] = (int16_t)v;
    for (int i = 0; i < THINGS; i++)
        things[i] = (thing){&kinds[i % 3], (int32_t)(chance() % (WIDTH << 8)), (int32_t)(chance() % (HEIGHT << 8)),
                            (int32_t)(chance() % 512) - 256, (int32_t)(chance() % 512) - 256, 100, 0};
    for (int i = 0; i < frames; i++) { frame(); sum = sum * 31 + screen[chance() % sizeof screen]; }
    for (unsigned i = 0; i < sizeof screen; i++) sum = sum * 31 + screen[i];
    printf("%u\n", sum);
    return 0;
}
