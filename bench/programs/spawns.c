/* What the machine can do: how fast processes are made, by fork, vfork and posix_spawn, each after the other
 * and all at once. Prints JSON.
 *
 *     spawns /path/of/a/program/that/ends */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SINGLE = 2000, BURST = 1000 };

extern char **environ;
static char *program;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void make(int how) {
    char *words[] = {program, 0};
    pid_t pid;
    if (how == 2) {
        if (posix_spawn(&pid, program, 0, 0, words, environ)) exit(1);
        return;
    }
    pid = how == 0 ? fork() : vfork();
    if (pid == 0) {
        execv(program, words);
        _exit(127);
    }
    if (pid < 0) exit(1);
}

int main(int count, char **words) {
    if (count != 2) return 2;
    program = words[1];
    const char *names[] = {"fork", "vfork", "posix_spawn"};
    printf("{");
    for (int how = 0; how < 3; how++) {
        double begun = now();
        for (int i = 0; i < SINGLE; i++) {
            make(how);
            wait(0);
        }
        double single = now() - begun;
        begun = now();
        for (int i = 0; i < BURST; i++) make(how);
        while (wait(0) > 0) continue;
        double burst = now() - begun;
        printf("%s\"%s\": {\"single_us\": %.0f, \"burst_us\": %.0f}", how ? ", " : "", names[how],
               single / SINGLE * 1e6, burst / BURST * 1e6);
    }
    printf("}\n");
    return 0;
}
