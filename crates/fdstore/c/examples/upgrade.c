/* A daemon that answers each connection with its process id and how many it has answered so far, and that replaces
 * itself on SIGHUP: the same process, the same listening socket, and the count goes on.
 *
 *   cc $(pkg-config --cflags fdstore) upgrade.c $(pkg-config --libs fdstore) -o upgrade
 *   ./upgrade 8080 & kill -HUP $!
 */
#include <errno.h>
#include <fdstore.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

static void check(int result, const char *doing)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", doing, fdstore_error_message());
        exit(1);
    }
}

static int bind_port(const char *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((unsigned short)atoi(port)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 128) < 0) {
        perror("listening");
        exit(1);
    }
    return fd;
}

/* The listening socket: the one from before, or a new one that the store keeps a duplicate of. */
static int listener(fdstore *store, const char *port)
{
    int fd = fdstore_share(store, "listener", FDSTORE_KIND_TCP_LISTENER);
    if (fd != -ENOENT) {
        check(fd, "taking the listener over");
        return fd;
    }
    check(fdstore_insert(store, "listener", bind_port(port), NULL), "keeping the listener");
    fd = fdstore_share(store, "listener", FDSTORE_KIND_TCP_LISTENER);
    check(fd, "using the listener");
    return fd;
}

static long answered_before(fdstore *store)
{
    fdstore_buffer *buffer;
    long answered = 0;
    if (fdstore_state(store, "answered", &buffer) == 0) {
        if (fdstore_buffer_size(buffer) == sizeof answered)
            memcpy(&answered, fdstore_buffer_data(buffer), sizeof answered);
        fdstore_buffer_free(buffer);
    }
    return answered;
}

int main(int argc, char **argv)
{
    fdstore *store;
    check(fdstore_start("upgrade.c", 1000, &store), "starting");
    int fd = listener(store, argc > 1 ? argv[1] : "8080");
    long answered = answered_before(store);

    sigset_t hangup;
    sigemptyset(&hangup);
    sigaddset(&hangup, SIGHUP);
    sigprocmask(SIG_BLOCK, &hangup, NULL);
    int signals = signalfd(-1, &hangup, SFD_CLOEXEC);

    struct sockaddr_in address;
    socklen_t length = sizeof address;
    getsockname(fd, (struct sockaddr *)&address, &length);
    check(fdstore_ready(store), "saying that it is ready");
    printf("%d serves %d, started %d\n", (int)getpid(), ntohs(address.sin_port), fdstore_origin(store));
    fflush(stdout);

    for (;;) {
        struct pollfd ready[] = {{.fd = fd, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        if (poll(ready, 2, -1) < 0)
            continue;
        if (ready[0].revents) {
            int connection = accept(fd, NULL, NULL);
            if (connection >= 0) {
                dprintf(connection, "%d %ld\n", (int)getpid(), ++answered);
                shutdown(connection, SHUT_WR);
                close(connection);
            }
        }
        if (ready[1].revents) {
            struct signalfd_siginfo info;
            if (read(signals, &info, sizeof info) < 0)
                continue;
            check(fdstore_put_state(store, "answered", &answered, sizeof answered), "keeping the count");
            fdstore_exec(store, NULL, NULL);
            fprintf(stderr, "going on as before: %s\n", fdstore_error_message());
        }
    }
}
