/* xylem-exec: runs the command of one task, in the task's own container.
 *
 *     xylem-exec install FOLDER
 *     xylem-exec run --run FOLDER [--output FOLDER] [--wait] [--timeout SECONDS]
 *                    [--last-words FILE] -- COMMAND [ARGUMENT...]
 *
 * `install` puts this program into a volume that the task's container mounts. That image may hold
 * no shell, no libc and no certificate: so the program is static, and everything that needs more
 * (the network, tokens, retries) is the sidecar's. The two meet in the folder given by --run:
 *
 *     alive   locked (flock) while a wrapper lives; it appears under this name already locked, so
 *             who can take the lock knows that the command is over
 *     go      made by the sidecar: with --wait the command starts now
 *     stop    made by the sidecar: who waits never starts the command; holds the exit code
 *     restart made by the sidecar: a number, greater each time; the command is ended and begins anew
 *     stopped {that number}: it has ended, and begins when `go` holds the number, too
 *     spool   records of what the command printed (the format is xylem/protocol/spool.py's)
 *     exit    {"code":N}, made in one step when the spool is complete
 *
 * The command is a child in a process group of its own, with /dev/null as input and a pipe each for
 * stdout and stderr. Signals are passed on to its group, and its exit code becomes ours (128 + n
 * after signal n, as a shell says it), so nobody outside sees that there is a wrapper.
 *
 * With --timeout the command gets SIGTERM when that much time has passed since we started (waiting
 * for the sidecar included), and SIGKILL ten seconds later. Then the exit code is 124, and the file
 * given by --last-words says {"xylem":"exec_timeout"}: where it is the container's termination message,
 * whoever watches the pod knows why it ended, and no network is needed to keep the limit.
 *
 * A restart asks like a timeout, SIGTERM and ten seconds later SIGKILL; the folders stay as they are,
 * the spool goes on, and so does the time of --timeout. Whoever told us to end is obeyed first.
 *
 * The spool is only ever appended to, by us and by the sidecar (its own words), each record under
 * the file's lock. A writer that was killed in the middle of a record leaves it torn; who comes next
 * fills it up, because bytes behind it would be unreadable and cutting it off would race with a
 * reader. Nothing is synced here: the sidecar syncs what it is about to send, once for each batch.
 *
 * Rejected: a shell script (needs a shell), a pseudo terminal (changes what programs print and how
 * they buffer; interactive sessions come with one of their own), a socket to the sidecar (what is
 * in flight dies with either end; a file survives both), replacing ourselves by the command (nobody
 * would be left to tell where its output ends).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HEADER_BYTES 13
#define RECORD_BYTES (32 * 1024)
enum stream { STDOUT = 1, STDERR = 2 };

/* The codes of a shell, and of those who run containers (docker run: 125 is its own failure). */
#define EXIT_OWN_FAILURE 125
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND 127
#define EXIT_SIGNALLED 128
/* timeout(1) of the GNU core utilities. */
#define EXIT_TIMED_OUT 124
/* sysexits.h EX_IOERR: the spool's disk stayed full, so the log could not be kept. */
#define EXIT_SPOOL_FULL 74

/* A process that outlives the command may hold the pipes. `tee` in a process substitution ends
 * moments after its shell, a daemon never does: this long the first is waited for. With us, the
 * first process of a container, the kernel ends all of them anyway. */
#define PIPE_GRACE_MS 1000

/* A full disk may be emptied again, by the node's garbage collector or the command itself; until
 * then the command waits in its next write. */
#define FULL_DISK_PATIENCE_MS 30000
#define FULL_DISK_RETRY_MS 100

/* Between asking a command that ran too long to end and making it. */
#define TIMEOUT_GRACE_MS 10000

/* inotify wakes us at once; this is for file systems that do not tell. */
#define WAIT_POLL_MS 1000

static char folder[PATH_MAX];
static int spool = -1;
static pid_t child = -1;
static sigset_t original_mask;
static int64_t time_is_up; /* 0: never */
static int timed_out;
static int restarts;  /* so often the command began anew: the last number in `restart` */
static int told_to_end;
static const char *last_words = "/dev/termination-log";

/* ---- small things ---------------------------------------------------------------------------- */

static void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("xylem-exec: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(EXIT_OWN_FAILURE);
}

static int64_t now(clockid_t clock, int64_t unit) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * unit + time.tv_nsec / (1000000000 / unit);
}

static int64_t now_ms(void) { return now(CLOCK_MONOTONIC, 1000); }

static void pause_ms(int milliseconds) {
    struct timespec time = {milliseconds / 1000, (milliseconds % 1000) * 1000000L};
    nanosleep(&time, NULL);
}

static char *path(const char *name) {
    static char joined[PATH_MAX + 32];
    snprintf(joined, sizeof joined, "%s/%s", folder, name);
    return joined;
}

/* Open to everybody in the pod: the task and the sidecar may be different users. */
static void make_folder(const char *name) {
    char partial[PATH_MAX];
    size_t length = strlen(name);
    for (size_t i = 1; i <= length && i < sizeof partial; i++) {
        if (name[i] != '/' && name[i] != '\0') continue;
        memcpy(partial, name, i);
        partial[i] = '\0';
        if (mkdir(partial, 0777) == 0) chmod(partial, 0777);
    }
}

static int write_all(int file, const char *data, size_t length) {
    while (length) {
        ssize_t written = write(file, data, length);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return -1;
        data += written;
        length -= (size_t)written;
    }
    return 0;
}

/* ---- install --------------------------------------------------------------------------------- */

static int install(const char *target) {
    static char buffer[64 * 1024];
    char temporary[PATH_MAX], final[PATH_MAX];
    snprintf(temporary, sizeof temporary, "%s/.xylem-exec", target);
    snprintf(final, sizeof final, "%s/xylem-exec", target);
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (self < 0) fail("cannot read myself: %s", strerror(errno));
    int copy = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    if (copy < 0) fail("cannot install into %s: %s", target, strerror(errno));
    ssize_t length;
    while ((length = read(self, buffer, sizeof buffer)) > 0) {
        if (write_all(copy, buffer, (size_t)length) < 0)
            fail("cannot install into %s: %s", target, strerror(errno));
    }
    if (length < 0) fail("cannot read myself: %s", strerror(errno));
    fchmod(copy, 0755);
    close(copy);
    if (rename(temporary, final) < 0) fail("cannot install into %s: %s", target, strerror(errno));
    return 0;
}

/* ---- the spool ------------------------------------------------------------------------------- */

static uint32_t length_in(const unsigned char *header) {
    return (uint32_t)header[9] << 24 | (uint32_t)header[10] << 16 | (uint32_t)header[11] << 8 |
           header[12];
}

/* Fills up a record that a killed writer left torn: the header with zeros, the bytes with spaces. */
static void mend(void) {
    static char filling[HEADER_BYTES + RECORD_BYTES];
    unsigned char header[HEADER_BYTES];
    struct stat state;
    flock(spool, LOCK_EX);
    if (fstat(spool, &state) == 0) {
        off_t position = 0;
        while (position < state.st_size) {
            memset(header, 0, sizeof header);
            ssize_t got = pread(spool, header, sizeof header, position);
            if (got <= 0 || length_in(header) > RECORD_BYTES) break;
            off_t end = position + HEADER_BYTES + length_in(header);
            if (end > state.st_size) {
                size_t of_header = (size_t)(HEADER_BYTES - got);
                memset(filling, 0, of_header);
                memset(filling + of_header, ' ', sizeof filling - of_header);
                write_all(spool, filling, (size_t)(end - state.st_size));
            }
            position = end;
        }
    }
    flock(spool, LOCK_UN);
}

static void open_spool(void) {
    spool = open(path("spool"), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (spool < 0) fail("cannot open %s: %s", path("spool"), strerror(errno));
    fchmod(spool, 0666);
    mend();
}

/* One record. Returns -1 when the disk stayed full: the record is torn, and the log at its end. */
static int append(enum stream stream, const char *data, size_t length) {
    unsigned char header[HEADER_BYTES];
    uint64_t micros = (uint64_t)now(CLOCK_REALTIME, 1000000);
    header[0] = (unsigned char)stream;
    for (int i = 0; i < 8; i++) header[1 + i] = (unsigned char)(micros >> (56 - 8 * i));
    for (int i = 0; i < 4; i++) header[9 + i] = (unsigned char)(length >> (24 - 8 * i));
    struct iovec parts[2] = {{header, sizeof header}, {(void *)data, length}};
    size_t left = sizeof header + length;
    int64_t give_up = 0;
    int failed = 0;
    flock(spool, LOCK_EX);
    while (left) {
        ssize_t written = writev(spool, parts, 2);
        if (written < 0 && errno != EINTR) {
            if (!give_up) give_up = now_ms() + FULL_DISK_PATIENCE_MS;
            failed = now_ms() >= give_up;
            if (failed) break;
            pause_ms(FULL_DISK_RETRY_MS);
        }
        if (written <= 0) continue;
        left -= (size_t)written;
        for (int i = 0; i < 2; i++) {
            size_t taken = (size_t)written < parts[i].iov_len ? (size_t)written : parts[i].iov_len;
            parts[i].iov_base = (char *)parts[i].iov_base + taken;
            parts[i].iov_len -= taken;
            written -= (ssize_t)taken;
        }
    }
    flock(spool, LOCK_UN);
    return failed ? -1 : 0;
}

/* ---- facts in the folder --------------------------------------------------------------------- */

/* The lock is taken before the name exists, so nobody ever finds `alive` of a wrapper that is about
 * to lock it. */
static void say_alive(void) {
    char temporary[PATH_MAX + 32];
    snprintf(temporary, sizeof temporary, "%s/.alive", folder);
    unlink(temporary);
    int file = open(temporary, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) fail("cannot write into %s: %s", folder, strerror(errno));
    fchmod(file, 0644);
    if (flock(file, LOCK_EX) < 0 || rename(temporary, path("alive")) < 0)
        fail("cannot lock %s: %s", path("alive"), strerror(errno));
}

/* In one step: who finds it finds all of it. */
static void put(const char *name, const char *text) {
    char temporary[PATH_MAX + 32];
    snprintf(temporary, sizeof temporary, "%s/.%s", folder, name);
    int file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0) return;
    fchmod(file, 0644);
    if (write_all(file, text, strlen(text)) == 0) rename(temporary, path(name));
    close(file);
}

/* What the file of this name holds, 0 where it is empty; -1: there is none. */
static int number_in(const char *name) {
    char text[16] = "";
    int file = open(path(name), O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    return length < 0 ? -1 : atoi(text);
}

static int is_to_restart(void) { return number_in("restart") > restarts; }

static int finish(int code) {
    char text[32];
    snprintf(text, sizeof text, "{\"code\":%d}", code);
    put("exit", text);
    return code;
}

/* ---- the limit of the run --------------------------------------------------------------------- */

static int is_overdue(void) { return time_is_up && now_ms() >= time_is_up; }

/* The soonest of the two, as poll(2) takes it; -1 is never. */
static int soonest(int64_t left) {
    if (time_is_up) {
        int64_t until = time_is_up - now_ms();
        if (until < 0) until = 0;
        if (left < 0 || until < left) left = until;
    }
    return left > INT_MAX ? INT_MAX : (int)left;
}

static void say_timed_out(void) {
    static const char text[] = "{\"xylem\":\"exec_timeout\"}";
    timed_out = 1;
    int file = open(last_words, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (file < 0) return;
    write_all(file, text, sizeof text - 1);
    close(file);
}

/* Returns 1 when the command ended, with its exit code. As the first process of a container we also
 * inherit orphans, and bury them. */
static int reap(int *code) {
    int status, ended = 0;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != child) continue;
        ended = 1;
        *code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SIGNALLED + WTERMSIG(status);
    }
    return ended;
}

/* ---- waiting for the sidecar ------------------------------------------------------------------ */

/* What appears in the folder. -1: nobody can tell us. */
static int watch_folder(void) {
    int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch >= 0) inotify_add_watch(watch, folder, IN_CREATE | IN_MOVED_TO);
    return watch;
}

static void forget_events(int watch) {
    char events[4096];
    while (read(watch, events, sizeof events) > 0) continue;
}

static int is_an_end(int signal) {
    return signal == SIGTERM || signal == SIGINT || signal == SIGHUP || signal == SIGQUIT;
}

/* -1: go. Else the code to end with. */
static int wait_for_go(int signals, int watch) {
    struct pollfd sources[2] = {{signals, POLLIN, 0}, {watch, POLLIN, 0}};
    for (;;) {
        int stop = number_in("stop");
        if (stop >= 0) return stop & 0xff;
        if (is_overdue()) {
            say_timed_out();
            return EXIT_TIMED_OUT;
        }
        if (number_in("go") >= restarts) return -1;
        if (poll(sources, 2, soonest(WAIT_POLL_MS)) <= 0) continue;
        if (sources[1].revents) forget_events(watch);
        if (sources[0].revents) {
            struct signalfd_siginfo signal;
            if (read(signals, &signal, sizeof signal) != sizeof signal) continue;
            if (signal.ssi_signo == SIGCHLD) reap(&stop); /* of those that are left: none is the command */
            if (is_an_end((int)signal.ssi_signo)) return EXIT_SIGNALLED + (int)signal.ssi_signo;
        }
    }
}

/* ---- the command ------------------------------------------------------------------------------ */

/* In the child. What went wrong with exec travels to the parent as a number, over a pipe that a
 * successful exec closes. */
static void become(char **command, int out, int err, int report) {
    setpgid(0, 0);
    int null = open("/dev/null", O_RDONLY);
    if (null > STDIN_FILENO) {
        dup2(null, STDIN_FILENO);
        close(null);
    }
    if (dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0) {
        sigprocmask(SIG_SETMASK, &original_mask, NULL);
        execvp(command[0], command);
    }
    int problem = errno;
    write_all(report, (const char *)&problem, sizeof problem);
    _exit(EXIT_NOT_FOUND);
}

/* 0, or the code for a command that could not be started; why is then in its stderr. */
static int start(char **command, int pipes[2]) {
    int out[2], err[2], report[2], problem = 0;
    if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0)
        fail("cannot make pipes: %s", strerror(errno));
    child = fork();
    if (child < 0) fail("cannot fork: %s", strerror(errno));
    if (child == 0) become(command, out[1], err[1], report[1]);
    setpgid(child, child); /* whoever is first, so that no signal is passed on to nobody */
    close(out[1]);
    close(err[1]);
    close(report[1]);
    pipes[0] = out[0];
    pipes[1] = err[0];
    ssize_t got;
    do got = read(report[0], &problem, sizeof problem);
    while (got < 0 && errno == EINTR);
    close(report[0]);
    if (got != sizeof problem) return 0;
    waitpid(child, NULL, 0);
    int missing = problem == ENOENT || problem == ENOTDIR;
    int there = missing && strchr(command[0], '/') && access(command[0], F_OK) == 0;
    char text[1024];
    int length = snprintf(
        text, sizeof text, "xylem-exec: cannot run %.512s: %s\n", command[0],
        there ? "it is there, but its interpreter or loader is not in this image" :
        missing && !strchr(command[0], '/') ? "no such command on the PATH of this image" :
        strerror(problem));
    append(STDERR, text, (size_t)length);
    return missing ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

/* One piece of what the command printed. 0: there was none, for now or for good. */
static size_t copy(int *pipe_end, enum stream stream, size_t limit, int *lost) {
    static char buffer[RECORD_BYTES];
    ssize_t length = read(*pipe_end, buffer, limit < sizeof buffer ? limit : sizeof buffer);
    if (length < 0 && (errno == EINTR || errno == EAGAIN)) return 0;
    if (length <= 0) {
        close(*pipe_end);
        *pipe_end = -1;
        return 0;
    }
    if (append(stream, buffer, (size_t)length) < 0) *lost = 1;
    return (size_t)length;
}

/* What lies in the pipe now, and nothing that is written meanwhile. */
static void drain(int *pipe_end, enum stream stream, int *lost) {
    int waiting = 0;
    if (*pipe_end < 0 || ioctl(*pipe_end, FIONREAD, &waiting) < 0) return;
    while (waiting > 0 && *pipe_end >= 0 && !*lost) {
        size_t length = copy(pipe_end, stream, (size_t)waiting, lost);
        if (!length) return;
        waiting -= (int)length;
    }
}

static int follow(int pipes[2], int signals, int watch) {
    int code = 0, ended = 0, lost = 0, asked = 0, look = 1;
    int64_t deadline = 0; /* of what comes after the end, or of an end that was asked for */
    while (!ended || pipes[0] >= 0 || pipes[1] >= 0) {
        struct pollfd sources[4] = {{pipes[0], POLLIN, 0}, {pipes[1], POLLIN, 0},
                                    {signals, POLLIN, 0}, {watch, POLLIN, 0}};
        if (!ended && !asked && (look || watch < 0) && is_to_restart()) {
            asked = 1;
            kill(-child, SIGTERM);
            deadline = now_ms() + TIMEOUT_GRACE_MS;
        }
        look = 0;
        int64_t left = deadline ? deadline - now_ms() : watch < 0 ? WAIT_POLL_MS : -1;
        if (ended && left <= 0) break;
        if (!ended && asked && left <= 0) {
            kill(-child, SIGKILL);
            deadline = now_ms() + TIMEOUT_GRACE_MS;
            continue;
        }
        if (!ended && is_overdue()) {
            kill(-child, timed_out ? SIGKILL : SIGTERM);
            if (!timed_out) say_timed_out();
            time_is_up = now_ms() + TIMEOUT_GRACE_MS;
        }
        if (poll(sources, 4, ended ? (int)left : soonest(left)) < 0) continue;
        if (sources[0].revents) copy(&pipes[0], STDOUT, RECORD_BYTES, &lost);
        if (sources[1].revents) copy(&pipes[1], STDERR, RECORD_BYTES, &lost);
        if (lost) {
            kill(-child, SIGKILL);
            told_to_end = 1;
            return EXIT_SPOOL_FULL;
        }
        if (sources[3].revents) {
            forget_events(watch);
            look = 1;
        }
        if (!sources[2].revents) continue;
        struct signalfd_siginfo signal;
        if (read(signals, &signal, sizeof signal) != sizeof signal) continue;
        if (signal.ssi_signo != SIGCHLD) {
            if (is_an_end((int)signal.ssi_signo)) told_to_end = 1;
            if (!ended) kill(-child, (int)signal.ssi_signo);
        } else if (!ended && reap(&code)) {
            ended = 1;
            deadline = now_ms() + PIPE_GRACE_MS;
        }
    }
    drain(&pipes[0], STDOUT, &lost);
    drain(&pipes[1], STDERR, &lost);
    for (int i = 0; i < 2; i++)
        if (pipes[i] >= 0) close(pipes[i]);
    if (lost || timed_out) told_to_end = 1;
    return lost ? EXIT_SPOOL_FULL : timed_out ? EXIT_TIMED_OUT : code;
}

/* What the command left in its group, and did not listen, must not run beside the next one. */
static void begin_anew(void) {
    char text[16];
    kill(-child, SIGKILL);
    restarts = number_in("restart");
    snprintf(text, sizeof text, "%d", restarts);
    put("stopped", text);
}

static int run(const char *output, int waits, char **command) {
    int pipes[2];
    sigset_t mask;
    sigfillset(&mask);
    sigprocmask(SIG_SETMASK, &mask, &original_mask);
    int signals = signalfd(-1, &mask, SFD_CLOEXEC);
    if (signals < 0) fail("cannot take signals: %s", strerror(errno));
    make_folder(folder);
    say_alive();
    unlink(path("exit"));
    open_spool();
    make_folder(output);
    int watch = watch_folder();
    for (;;) {
        int code = waits ? wait_for_go(signals, watch) : -1;
        if (code >= 0) return finish(code);
        code = start(command, pipes);
        if (code) return finish(code);
        code = follow(pipes, signals, watch);
        if (told_to_end || !is_to_restart()) return finish(code);
        begin_anew();
        waits = 1;
    }
}

/* ---- arguments -------------------------------------------------------------------------------- */

static int usage(void) {
    fputs("usage: xylem-exec install FOLDER\n"
          "       xylem-exec run --run FOLDER [--output FOLDER] [--wait] [--timeout SECONDS]\n"
          "                      [--last-words FILE] -- COMMAND [ARGUMENT...]\n",
          stderr);
    return EXIT_OWN_FAILURE;
}

int main(int count, char **arguments) {
    const char *output = "/osmo/data/output";
    int waits = 0, i = 2;
    if (count == 3 && !strcmp(arguments[1], "install")) return install(arguments[2]);
    if (count < 2 || strcmp(arguments[1], "run")) return usage();
    for (; i < count && strcmp(arguments[i], "--"); i++) {
        if (!strcmp(arguments[i], "--wait")) waits = 1;
        else if (!strcmp(arguments[i], "--run") && i + 1 < count)
            snprintf(folder, sizeof folder, "%s", arguments[++i]);
        else if (!strcmp(arguments[i], "--output") && i + 1 < count) output = arguments[++i];
        else if (!strcmp(arguments[i], "--last-words") && i + 1 < count) last_words = arguments[++i];
        else if (!strcmp(arguments[i], "--timeout") && i + 1 < count)
            time_is_up = now_ms() + (int64_t)(atof(arguments[++i]) * 1000);
        else return usage();
    }
    if (!folder[0] || i + 1 >= count) return usage();
    return run(output, waits, arguments + i + 1);
}
