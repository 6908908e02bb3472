/* The floor: the smallest supervisor there can be, in one process, without files, control or throttle. It
 * starts N services by vfork and exec, starts again what dies, and on TERM ends all and leaves.
 *
 *     floor /path/of/service N */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char *service;
static pid_t *pids;

static void start(int number) {
    char text[16], *words[] = {service, text, 0};
    snprintf(text, sizeof text, "%d", number);
    sigset_t none;
    sigemptyset(&none);
    pid_t pid = vfork();
    if (pid == 0) {
        sigprocmask(SIG_SETMASK, &none, 0);
        execv(service, words);
        _exit(127);
    }
    pids[number] = pid;
}

int main(int count, char **words) {
    if (count != 3) return 2;
    service = words[1];
    int n = atoi(words[2]), stopping = 0, left = n;
    pids = calloc((size_t)n, sizeof *pids);
    sigset_t awaited;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGCHLD);
    sigaddset(&awaited, SIGTERM);
    sigprocmask(SIG_BLOCK, &awaited, 0);
    for (int i = 0; i < n; i++) start(i);
    for (;;) {
        if (sigwaitinfo(&awaited, 0) == SIGTERM) {
            stopping = 1;
            for (int i = 0; i < n; i++) kill(pids[i], SIGTERM);
        }
        pid_t pid;
        while ((pid = waitpid(-1, 0, WNOHANG)) > 0) {
            if (stopping) {
                if (--left == 0) return 0;
                continue;
            }
            int i = 0;
            while (i < n && pids[i] != pid) i++;
            if (i < n) start(i);
        }
    }
}
