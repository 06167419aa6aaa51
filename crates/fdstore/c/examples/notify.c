/* A service under systemd, softbootd, or anything that speaks their protocols: takes its listening socket by name, gives
 * a memfd to the manager's fd store, and says that it is ready.
 *
 *   cc $(pkg-config --cflags fdstore) notify.c $(pkg-config --libs fdstore) -o notify
 */
#include <errno.h>
#include <fdstore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static void check(int result, const char *doing)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", doing, fdstore_error_message());
        exit(1);
    }
}

static int print(void *data, const fdstore_entry *entry)
{
    (void)data;
    printf("%s: %s\n", entry->name, entry->kind);
    return 0;
}

int main(void)
{
    fdstore *store;
    fdstore_notifier *manager;
    check(fdstore_start("notify.c", 1000, &store), "starting");
    printf("%d descriptors\n", fdstore_count(store));
    check(fdstore_each(store, print, NULL), "listing");

    int listener = fdstore_share(store, "web", FDSTORE_KIND_TCP_LISTENER);
    check(listener, "finding the socket named web");
    int result = fdstore_notify_connect(NULL, &manager);
    if (result == -ENOENT) {
        fprintf(stderr, "no manager\n");
        return 2;
    }
    check(result, "connecting to the manager");
    int memory = memfd_create("cache", MFD_CLOEXEC);
    check(fdstore_notify_store_fd(manager, "cache", memory), "storing the cache");
    check(fdstore_notify_status(manager, "serving"), "telling the status");
    check(fdstore_ready(store), "saying that it is ready");
    /* Everything before this has been handled when it returns. */
    check(fdstore_notify_barrier(manager, 10000), "waiting for the manager");
    fdstore_notify_free(manager);
    close(memory);
    close(listener);
    fdstore_free(store);
    puts("done");
    return 0;
}
