/* Planets, in floating point that software computes. The argument is how many steps. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct body { double x[3], v[3], mass; };
static struct body bodies[4] = {
    {{0, 0, 0}, {0, 0, 0}, 39.47},
    {{4.84, -1.16, -0.10}, {0.606, 2.81, -0.02}, 0.037},
    {{8.34, 4.12, -0.40}, {-1.01, 1.82, 0.008}, 0.011},
    {{12.89, -15.11, -0.22}, {1.08, 0.868, -0.01}, 0.0017},
};

int main(int argc, char **argv) {
    int steps = argc > 1 ? atoi(argv[1]) : 20;
    while (steps--) {
        for (int i = 0; i < 4; i++)
            for (int k = i + 1; k < 4; k++) {
                double d[3], square = 0;
                for (int n = 0; n < 3; n++) d[n] = bodies[i].x[n] - bodies[k].x[n], square += d[n] * d[n];
                double pull = 0.01 / (square * sqrt(square));
                for (int n = 0; n < 3; n++) {
                    bodies[i].v[n] -= d[n] * bodies[k].mass * pull;
                    bodies[k].v[n] += d[n] * bodies[i].mass * pull;
                }
            }
        for (int i = 0; i < 4; i++)
            for (int n = 0; n < 3; n++) bodies[i].x[n] += 0.01 * bodies[i].v[n];
    }
    for (int i = 0; i < 4; i++) printf("%.12f %.12f %.12f\n", bodies[i].x[0], bodies[i].x[1], bodies[i].x[2]);
    return 0;
}
