/* Loaded before libc: the wall clock is CLOCK_AHEAD_S seconds ahead for one process and its children.
 * The monotonic clock stays, so that all waits last as long as they should. (libfaketime would do the same, but its
 * version 0.9.10 never wakes Python's waits.) */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long ahead(void) {
    static long seconds;
    static int known;
    if (!known) {
        const char *text = getenv("CLOCK_AHEAD_S");
        seconds = text ? atol(text) : 0;
        known = 1;
    }
    return seconds;
}

static int is_wall(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

static struct timespec truly(const struct timespec *at) {
    struct timespec back = *at;
    back.tv_sec -= ahead();
    return back;
}

/* libc's own function of this name, as `next`. */
#define NEXT(name, ...) \
    static int (*next)(__VA_ARGS__); \
    if (!next) next = (int (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

int clock_gettime(clockid_t clock, struct timespec *at) {
    NEXT("clock_gettime", clockid_t, struct timespec *);
    int failed = next(clock, at);
    if (!failed && is_wall(clock)) at->tv_sec += ahead();
    return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}

/* Waits until an instant of the wall clock end when it truly comes. */
int sem_timedwait(sem_t *restrict sem, const struct timespec *restrict at) {
    NEXT("sem_timedwait", sem_t *, const struct timespec *);
    struct timespec back = truly(at);
    return next(sem, &back);
}

int sem_clockwait(sem_t *restrict sem, clockid_t clock, const struct timespec *restrict at) {
    NEXT("sem_clockwait", sem_t *, clockid_t, const struct timespec *);
    struct timespec back = is_wall(clock) ? truly(at) : *at;
    return next(sem, clock, &back);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *at, struct timespec *left) {
    NEXT("clock_nanosleep", clockid_t, int, const struct timespec *, struct timespec *);
    struct timespec back = is_wall(clock) && (flags & TIMER_ABSTIME) ? truly(at) : *at;
    return next(clock, flags, &back, left);
}
