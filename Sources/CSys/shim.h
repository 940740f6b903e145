// What Swift's Glibc module does not show: epoll, eventfd and accept4, with flags and casts settled here.
#pragma once
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const uint32_t csys_readable = EPOLLIN;
static const uint32_t csys_writable = EPOLLOUT;
static const uint32_t csys_peer_closed = EPOLLRDHUP;
static const uint32_t csys_gone = EPOLLERR | EPOLLHUP;

static inline int csys_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

// Registers a descriptor, or says anew what of it is waited for; level-triggered unless the events say otherwise.
static inline int csys_epoll_expect(int epoll, int operation, int fd, uint32_t events, uint64_t token) {
    struct epoll_event event = {0};
    event.events = events;
    event.data.u64 = token;
    return epoll_ctl(epoll, operation, fd, &event);
}

// Registers a descriptor once, edge-triggered, for everything that can happen to it.
static inline int csys_epoll_add(int epoll, int fd, uint64_t token) {
    return csys_epoll_expect(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, token);
}

// Waits with the resolution of the clock; with that of milliseconds, rounded up, where the kernel cannot (before 5.11).
static inline int csys_epoll_wait_precisely(int epoll, struct epoll_event *events, int most, int64_t nanoseconds) {
    struct timespec limit = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    int ready = epoll_pwait2(epoll, events, most, &limit, NULL);
    if (ready >= 0 || errno != ENOSYS) return ready;
    int64_t milliseconds = (nanoseconds + 999999) / 1000000;
    return epoll_wait(epoll, events, most, milliseconds < 60000 ? (int)milliseconds : 60000);
}

static inline uint64_t csys_token(const struct epoll_event *event) { return event->data.u64; }

static inline int csys_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

// Raises the edge of an eventfd; its count is never read.
static inline void csys_eventfd_raise(int fd) {
    uint64_t one = 1;
    ssize_t ignored = write(fd, &one, sizeof one);
    (void)ignored;
}

static inline int csys_accept(int fd, struct sockaddr_storage *address) {
    extern int accept4(int, struct sockaddr *, socklen_t *, int);
    socklen_t length = sizeof *address;
    return accept4(fd, (struct sockaddr *)address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

// A listening socket on the address, or -1 with errno set.
static inline int csys_listen(const struct sockaddr *address, socklen_t length, int is_shared) {
    int on = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    int failed = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on)
        || (is_shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on))
        // Accepted sockets inherit these two.
        || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on)
        || setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on)
        || bind(fd, address, length) || listen(fd, 4096);
    if (!failed) return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static inline ssize_t csys_send(int fd, const void *bytes, size_t count) {
    return send(fd, bytes, count, MSG_NOSIGNAL);
}

static inline ssize_t csys_receive(int fd, void *bytes, size_t count) { return recv(fd, bytes, count, 0); }

static inline void csys_shutdown_write(int fd) { (void)shutdown(fd, SHUT_WR); }
