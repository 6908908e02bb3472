/* Something to log: waits until the gate opens, then writes LINES lines of 100 bytes to standard output, and
 * sleeps or, with `end`, ends. `blocks` writes 64 KiB at once, `each` every line by itself.
 *
 *     lines GATE LINES blocks|each sleep|end */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 100, BLOCK = 655 };

static int put(const char *bytes, size_t left) {
    while (left > 0) {
        ssize_t written = write(1, bytes, left);
        if (written <= 0) return 0;
        bytes += written;
        left -= (size_t)written;
    }
    return 1;
}

int main(int count, char **words) {
    if (count != 5) return 2;
    static char block[BLOCK * LINE];
    memset(block, 'a', sizeof block);
    for (int i = 0; i < BLOCK; i++) {
        memcpy(block + i * LINE, "GET /index.html HTTP/1.1 200 ", 29);
        block[i * LINE + LINE - 1] = '\n';
    }
    long left = atol(words[2]), most = strcmp(words[3], "blocks") ? 1 : BLOCK;
    char byte;
    /* A FIFO: opening it waits for somebody who opens it to write, reading for the end of that. */
    int gate = open(words[1], O_RDONLY);
    if (gate < 0 || read(gate, &byte, 1) < 0) return 1;
    close(gate);
    while (left > 0) {
        long lines = left < most ? left : most;
        if (!put(block, (size_t)lines * LINE)) return 1;
        left -= lines;
    }
    if (!strcmp(words[4], "end")) return 0;
    for (;;) pause();
}
