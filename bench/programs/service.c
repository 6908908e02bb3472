/* The service that every supervisor runs: writes one stamp {CLOCK_MONOTONIC in ns, pid, number} to the FIFO
 * as its first act, and sleeps. It keeps the FIFO open, so that the reader sees its end exactly when the last
 * service has died. Its number is its argument, else the digits at the end of its folder's name.
 *
 *     cc -DSTAMPS='"/path/of/fifo"' service.c */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct stamp { uint64_t at_ns; uint32_t pid, number; };

static uint32_t number_of(const char *text) {
    size_t end = strlen(text);
    while (end && text[end - 1] >= '0' && text[end - 1] <= '9') end--;
    return (uint32_t)strtoul(text + end, 0, 10);
}

int main(int count, char **words) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    char folder[PATH_MAX] = "";
    if (count < 2 && !getcwd(folder, sizeof folder)) return 1;
    struct stamp stamp = {
        .at_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
        .pid = (uint32_t)getpid(),
        .number = number_of(count < 2 ? folder : words[1]),
    };
    int fifo = open(STAMPS, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fifo < 0 || write(fifo, &stamp, sizeof stamp) != sizeof stamp) return 1;
    for (;;) pause();
}
