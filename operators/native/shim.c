/* desk-shim: the keeper of one container of the desk cluster.
 *
 * A container is a process of this machine with a private view of it. The shim builds that view,
 * starts the process, copies its output into a log and writes down how it ended. It outlives the API
 * process that started it, so that kill -9 of that process loses neither a container nor its exit
 * code; and it is one small static program, because a Python process per container would cost more
 * than most tasks do.
 *
 *     desk-shim FOLDER
 *     desk-shim FOLDER exec WORD TERMINAL COMMAND [ARGUMENT...]
 *
 * FOLDER belongs to one attempt to run one container. Facts are files in it, each made in one step
 * by link or rename, in this order:
 *
 *     lock      held (flock) for as long as the shim lives; nothing else says that it lives
 *     claim     "<pid of the shim>": made once, by link, so that no attempt ever runs twice
 *     process   "<pid> <start time in ticks>": whom to signal; written before the first instruction
 *     started   "<seconds>.<nanoseconds>": the command was executed
 *     ended     "<seconds>.<nanoseconds> exit|signal|error <number> <message>"
 *     log       lines of the container runtime interface: "<time> stdout|stderr F|P <text>"
 *
 * FOLDER/spec says what to do: strings that end in NUL, an operation and its arguments, in the order
 * in which they are to be done. Every decision is taken by its author (operators/desk_cluster/kubelet);
 * the shim is an interpreter of some twenty words.
 *
 * The second form runs one more command in a container that runs: in its namespaces and cgroups, with
 * the environment, working folder, user and rights of its specification. The command has our stdin,
 * stdout and stderr; with TERMINAL 1 it has a terminal of the container's own instead, the other end
 * of which is sent over our stdin, a Unix socket. WORD is the number of a file descriptor to which is
 * written how it ended: "exit|signal|error <number> <message>". The command goes with its container,
 * not with us.
 *
 * The process is the first of a PID namespace. When it ends or is killed the kernel ends every
 * process below it, whatever session or group that moved to: this is how "kill the pod" is kept.
 * There is no PR_SET_PDEATHSIG: a container must survive its shim's parent, and, should somebody kill
 * the shim itself, is found through `process`.
 *
 * Rejected: bubblewrap (a dependency that this machine may lack, and it records nothing), runc (needs
 * an image), a subreaper without PID namespace (a walk over /proc that races with fork).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Numbers of system calls that musl's headers may lack; the same on every architecture since 5.0. */
#define NR_MOUNT_SETATTR 442
#define NR_CLOSE_RANGE 436
#define NR_PIDFD_OPEN 434
#define CLOSE_RANGE_AS_CLOEXEC 4
#define RECURSIVE 0x8000 /* AT_RECURSIVE */

/* A line that is longer is written in parts, as containerd does (its MaxContainerLogLineSize). */
#define LINE_LIMIT 16384
#define MESSAGE_LIMIT 512
#define MOST_GROUPS 4 /* of one container: two in version 1, one in version 2 */

/* In a real installation pods share no processor with the control plane; on this machine they leave
 * it to whoever answers for them, or a burst of starts would make every answer late. */
#define NICENESS 10

struct mount_attributes {
    uint64_t set, clear, propagation, user_namespace;
};

static int folder = -1;

/* ---- files of facts -------------------------------------------------------------------------- */

static void put(const char *name, const char *text) {
    char temporary[64];
    snprintf(temporary, sizeof temporary, ".%s", name);
    int file = openat(folder, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return;
    size_t length = strlen(text);
    ssize_t written = write(file, text, length);
    close(file);
    if (written == (ssize_t)length) renameat(folder, temporary, folder, name);
}

static void stamp(char *into, size_t size) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(into, size, "%lld.%09ld", (long long)now.tv_sec, now.tv_nsec);
}

static void put_ended(const char *how, int number, const char *message) {
    char when[40], line[MESSAGE_LIMIT + 100];
    stamp(when, sizeof when);
    snprintf(line, sizeof line, "%s %s %d %s", when, how, number, message);
    put("ended", line);
}

static int lock = -1;

/* True for the one shim that may run this attempt. */
static int claim(void) {
    lock = openat(folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) != 0) return 0;
    char text[32], temporary[48];
    snprintf(text, sizeof text, "%d", getpid());
    snprintf(temporary, sizeof temporary, "claim.%d", getpid());
    put(temporary, text);
    int made = linkat(folder, temporary, folder, "claim", 0) == 0;
    unlinkat(folder, temporary, 0);
    return made;
}

/* Field 22 of /proc/<pid>/stat; with the pid it names a process for as long as the machine is up. */
static unsigned long long start_time(pid_t pid) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0) return 0;
    text[length] = 0;
    char *after = strrchr(text, ')'); /* the command's name may hold spaces */
    if (!after) return 0;
    int field = 2;
    for (; *after; after++)
        if (*after == ' ' && ++field == 22) return strtoull(after + 1, NULL, 10);
    return 0;
}

/* ---- the specification ----------------------------------------------------------------------- */

static char *specification;
static size_t specification_size;

static int read_specification(void) {
    struct stat about;
    int file = openat(folder, "spec", O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &about) != 0) return -1;
    specification_size = (size_t)about.st_size;
    specification = malloc(specification_size + 1);
    if (!specification) return -1;
    size_t have = 0;
    while (have < specification_size) {
        ssize_t more = read(file, specification + have, specification_size - have);
        if (more <= 0) return -1;
        have += (size_t)more;
    }
    specification[specification_size] = 0;
    close(file);
    return 0;
}

static char *next_word(char **cursor) {
    char *word = *cursor;
    if (word >= specification + specification_size) return NULL;
    *cursor = word + strlen(word) + 1;
    return word;
}

/* ---- in the child: the view and the command --------------------------------------------------- */

static int complaint = -1; /* where the child says why it could not start */

static void __attribute__((format(printf, 1, 2), noreturn)) give_up(const char *format, ...) {
    char text[MESSAGE_LIMIT];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ssize_t ignored = write(complaint, text, strlen(text));
    (void)ignored;
    _exit(128);
}

static char root[PATH_MAX];

static const char *inside(const char *path) {
    static char full[2 * PATH_MAX];
    snprintf(full, sizeof full, "%s%s", root, path);
    return full;
}

static void make_folders(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0755);
        *slash = '/';
    }
    mkdir(path, 0755);
}

/* A mount point of the same kind as what is mounted on it. */
static void make_mount_point(const char *target, int is_folder) {
    char path[2 * PATH_MAX];
    struct stat about;
    snprintf(path, sizeof path, "%s", target);
    if (lstat(path, &about) == 0) return;
    char *last = strrchr(path, '/');
    if (!is_folder && last && last != path) {
        *last = 0;
        make_folders(path);
        *last = '/';
        int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        if (file >= 0) close(file);
    } else {
        make_folders(path);
    }
}

static void make_read_only(const char *target) {
    struct mount_attributes attributes = {.set = MS_RDONLY};
    if (syscall(NR_MOUNT_SETATTR, AT_FDCWD, target, RECURSIVE, &attributes, sizeof attributes) == 0) return;
    if (mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) != 0 &&
        mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) != 0)
        give_up("cannot make %s read-only: %s", target, strerror(errno));
}

static void bind_mount(const char *source, const char *destination, int read_only) {
    struct stat about;
    if (stat(source, &about) != 0) give_up("cannot mount %s: %s", source, strerror(errno));
    const char *target = inside(destination);
    make_mount_point(target, S_ISDIR(about.st_mode));
    if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) != 0)
        give_up("cannot mount %s on %s: %s", source, destination, strerror(errno));
    if (read_only) make_read_only(target);
}

static void private_root(const char *where) {
    snprintf(root, sizeof root, "%s", where);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        give_up("cannot make the mounts private: %s", strerror(errno));
    if (mount("tmpfs", root, "tmpfs", MS_NOSUID, "mode=755") != 0)
        give_up("cannot mount a root on %s: %s", root, strerror(errno));
}

/* A new /proc shows the container's own processes; where the kernel forbids it (a sandbox hides parts
 * of the outer /proc) the outer one is shown. */
static void mount_proc(void) {
    make_mount_point(inside("/proc"), 1);
    if (mount("proc", inside("/proc"), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)
        bind_mount("/proc", "/proc", 0);
}

static void mount_tmpfs(const char *destination, const char *options) {
    make_mount_point(inside(destination), 1);
    if (mount("tmpfs", inside(destination), "tmpfs", MS_NOSUID | MS_NODEV, options) != 0)
        give_up("cannot mount memory on %s: %s", destination, strerror(errno));
}

static void mount_terminals(void) {
    make_mount_point(inside("/dev/pts"), 1);
    if (mount("devpts", inside("/dev/pts"), "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620") == 0)
        if (symlink("pts/ptmx", inside("/dev/ptmx")) != 0 && errno != EEXIST)
            give_up("cannot make /dev/ptmx: %s", strerror(errno));
}

static void enter_root(void) {
    if (chdir(root) != 0) give_up("cannot enter %s: %s", root, strerror(errno));
    if (syscall(SYS_pivot_root, ".", ".") == 0) {
        if (umount2(".", MNT_DETACH) != 0) give_up("cannot leave the host's root: %s", strerror(errno));
    } else if (mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0) { /* the root is an initramfs */
        give_up("cannot change the root: %s", strerror(errno));
    }
    if (chdir("/") != 0) give_up("cannot enter the new root: %s", strerror(errno));
}

static void drop_capabilities(const char *kept) {
    uint64_t mask = strtoull(kept, NULL, 16);
    for (int capability = 0; capability < 64; capability++)
        if (!(mask >> capability & 1)) prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

static void become(const char *user, const char *group) {
    gid_t gid = (gid_t)strtoul(group, NULL, 10);
    if (setgroups(0, NULL) != 0 || setgid(gid) != 0 || setuid((uid_t)strtoul(user, NULL, 10)) != 0)
        give_up("cannot run as user %s, group %s: %s", user, group, strerror(errno));
}

static void reset_signals(void) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < 65; number++) signal(number, SIG_DFL);
}

/* execvp searches the PATH of its caller; the container's is the one that counts. */
static void __attribute__((noreturn)) execute(char **arguments, char **environment) {
    const char *path = "";
    for (char **entry = environment; *entry; entry++)
        if (strncmp(*entry, "PATH=", 5) == 0) path = *entry + 5;
    if (strchr(arguments[0], '/')) {
        execve(arguments[0], arguments, environment);
        give_up("exec: \"%s\": %s", arguments[0], strerror(errno));
    }
    int reason = ENOENT;
    while (*path) {
        size_t length = strcspn(path, ":");
        char candidate[PATH_MAX];
        snprintf(candidate, sizeof candidate, "%.*s/%s", (int)length, path, arguments[0]);
        execve(candidate, arguments, environment);
        if (errno != ENOENT && errno != ENOTDIR) reason = errno;
        path += length + (path[length] == ':');
    }
    if (reason == ENOENT) give_up("exec: \"%s\": executable file not found in $PATH", arguments[0]);
    give_up("exec: \"%s\": %s", arguments[0], strerror(reason));
}

static void wait_for_leave(int gate) {
    char leave;
    if (read(gate, &leave, 1) != 1) _exit(128); /* the shim is gone: nothing of this was written down */
}

static void __attribute__((noreturn)) run_container(int gate, int mapped) {
    size_t room = specification_size / 2 + 2;
    char **arguments = calloc(room, sizeof *arguments), **environment = calloc(room, sizeof *environment);
    size_t argument_count = 0, environment_count = 0;
    const char *working_folder = NULL, *user = NULL, *group = NULL, *kept = NULL;
    if (!arguments || !environment) give_up("out of memory");
    if (mapped) wait_for_leave(gate); /* until the parent has mapped our user no mount is allowed */
    umask(022);
    char *cursor = specification, *word;
    while ((word = next_word(&cursor))) {
        char *first = next_word(&cursor);
        if (!first) give_up("the specification ends within an operation");
        if (!strcmp(word, "root")) private_root(first);
        else if (!strcmp(word, "bind")) bind_mount(first, next_word(&cursor), 0);
        else if (!strcmp(word, "bind-read-only")) bind_mount(first, next_word(&cursor), 1);
        else if (!strcmp(word, "folder")) make_mount_point(inside(first), 1);
        else if (!strcmp(word, "link")) { if (symlink(first, inside(next_word(&cursor))) != 0) give_up("cannot link to %s: %s", first, strerror(errno)); }
        else if (!strcmp(word, "tmpfs")) mount_tmpfs(first, next_word(&cursor));
        else if (!strcmp(word, "proc")) mount_proc();
        else if (!strcmp(word, "terminals")) mount_terminals();
        else if (!strcmp(word, "hostname")) { if (sethostname(first, strlen(first)) != 0) give_up("cannot name the host %s: %s", first, strerror(errno)); }
        else if (!strcmp(word, "enter")) enter_root();
        else if (!strcmp(word, "capabilities")) kept = first;
        else if (!strcmp(word, "user")) { user = first; group = next_word(&cursor); }
        else if (!strcmp(word, "working-folder")) working_folder = first;
        else if (!strcmp(word, "environment")) environment[environment_count++] = first;
        else if (!strcmp(word, "argument")) arguments[argument_count++] = first;
        else if (strcmp(word, "cgroup") && strcmp(word, "user-namespace")) give_up("unknown operation %s", word);
    }
    if (argument_count == 0) give_up("no command specified");
    if (working_folder) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s", working_folder);
        make_folders(path);
        if (chdir(path) != 0) give_up("cannot enter %s: %s", path, strerror(errno));
    }
    if (kept) drop_capabilities(kept);
    if (user) become(user, group);
    setpriority(PRIO_PROCESS, 0, NICENESS);
    reset_signals();
    wait_for_leave(gate);
    execute(arguments, environment);
}

/* ---- in the parent: the log and the end ------------------------------------------------------- */

struct stream {
    int pipe;
    const char *name;
    size_t used;
    char line[LINE_LIMIT];
};

static char log_buffer[4 * LINE_LIMIT];
static size_t log_used;
static int log_file = -1;

static void flush_log(void) {
    size_t done = 0;
    while (done < log_used) {
        ssize_t written = write(log_file, log_buffer + done, log_used - done);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) break; /* a full disk costs lines, not the container */
        done += (size_t)written;
    }
    log_used = 0;
}

static void log_line(struct stream *stream, const char *when, char tag) {
    if (log_used + stream->used + 64 > sizeof log_buffer) flush_log();
    log_used += (size_t)snprintf(log_buffer + log_used, 64, "%s %s %c ", when, stream->name, tag);
    memcpy(log_buffer + log_used, stream->line, stream->used);
    log_used += stream->used;
    log_buffer[log_used++] = '\n';
    stream->used = 0;
}

static void log_time(char *into, size_t size) {
    struct timespec now;
    struct tm parts;
    char seconds[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(into, size, "%s.%09ldZ", seconds, now.tv_nsec);
}

/* False at the end of the stream, and when there is nothing to read now. */
static int copy_some(struct stream *stream) {
    char chunk[LINE_LIMIT], when[48];
    ssize_t length = read(stream->pipe, chunk, sizeof chunk);
    if (length < 0 && errno == EINTR) return 1;
    if (length <= 0) {
        if (length == 0) {
            close(stream->pipe);
            stream->pipe = -1;
        }
        return 0;
    }
    log_time(when, sizeof when);
    for (ssize_t at = 0; at < length;) {
        char *newline = memchr(chunk + at, '\n', (size_t)(length - at));
        size_t part = newline ? (size_t)(newline - chunk - at) : (size_t)(length - at);
        size_t room = LINE_LIMIT - stream->used;
        if (part > room) part = room, newline = NULL;
        memcpy(stream->line + stream->used, chunk + at, part);
        stream->used += part;
        at += (ssize_t)part;
        if (newline && chunk + at == newline) {
            log_line(stream, when, 'F');
            at++;
        } else if (stream->used == LINE_LIMIT) {
            log_line(stream, when, 'P');
        }
    }
    flush_log();
    return 1;
}

static int child_ended; /* the read end of a pipe that the handler of SIGCHLD writes to */
static int child_ended_write;

static void on_child(int number) {
    (void)number;
    int kept = errno;
    ssize_t ignored = write(child_ended_write, "", 1);
    (void)ignored;
    errno = kept;
}

static int follow_until_it_ends(pid_t pid, struct stream *streams) {
    int status = 0;
    struct pollfd waiting[3];
    for (;;) {
        waiting[0] = (struct pollfd){.fd = child_ended, .events = POLLIN};
        for (int i = 0; i < 2; i++) waiting[i + 1] = (struct pollfd){.fd = streams[i].pipe, .events = POLLIN};
        if (poll(waiting, 3, -1) < 0 && errno != EINTR) break;
        for (int i = 0; i < 2; i++)
            if (streams[i].pipe >= 0 && waiting[i + 1].revents) copy_some(&streams[i]);
        if (waitpid(pid, &status, WNOHANG) == pid) break;
        if (waiting[0].revents) {
            char ignored[16];
            ssize_t drained = read(child_ended, ignored, sizeof ignored);
            (void)drained;
        }
    }
    for (int i = 0; i < 2; i++) { /* what is still in the pipes; nobody is left who could write more */
        if (streams[i].pipe >= 0) fcntl(streams[i].pipe, F_SETFL, O_NONBLOCK);
        while (streams[i].pipe >= 0 && copy_some(&streams[i])) {}
        if (streams[i].used) {
            char when[48];
            log_time(when, sizeof when);
            log_line(&streams[i], when, 'P');
        }
    }
    flush_log();
    return status;
}

static void write_file(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return;
    ssize_t ignored = write(file, text, strlen(text));
    (void)ignored;
    close(file);
}

static void map_user(pid_t pid) {
    char path[64], text[64];
    snprintf(path, sizeof path, "/proc/%d/setgroups", pid);
    write_file(path, "deny");
    snprintf(path, sizeof path, "/proc/%d/uid_map", pid);
    snprintf(text, sizeof text, "0 %d 1", geteuid());
    write_file(path, text);
    snprintf(path, sizeof path, "/proc/%d/gid_map", pid);
    snprintf(text, sizeof text, "0 %d 1", getegid());
    write_file(path, text);
}

/* What the parent does for the child: a user of its own, and the cgroups. */
static int wants_user_namespace(void) {
    char *cursor = specification, *word;
    while ((word = next_word(&cursor)))
        if (!strcmp(word, "user-namespace")) return 1;
    return 0;
}

static void join_cgroups(pid_t pid) {
    char *cursor = specification, *word, text[16], path[PATH_MAX];
    snprintf(text, sizeof text, "%d", pid);
    while ((word = next_word(&cursor))) {
        if (strcmp(word, "cgroup")) continue;
        char *group = next_word(&cursor);
        if (!group) return;
        snprintf(path, sizeof path, "%s/cgroup.procs", group);
        write_file(path, text);
    }
}

static void fail(const char *what) {
    char text[MESSAGE_LIMIT];
    snprintf(text, sizeof text, "%s: %s", what, strerror(errno));
    put_ended("error", 128, text);
    exit(1);
}

/* ---- one more command in a container that runs -------------------------------------------------- */

static int word_to = -1; /* where it is told how the command ended */

static int __attribute__((format(printf, 3, 4))) tell(const char *how, int number, const char *format, ...) {
    char message[MESSAGE_LIMIT], line[MESSAGE_LIMIT + 64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    int length = snprintf(line, sizeof line, "%s %d %s", how, number, message);
    ssize_t ignored = write(word_to, line, (size_t)length);
    (void)ignored;
    return 1;
}

/* The container's first process, if it is still the one that was written down. */
static int container_handle(void) {
    char text[64];
    pid_t pid;
    unsigned long long started;
    int file = openat(folder, "process", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0) close(file);
    if (length <= 0) return -1;
    text[length] = 0;
    if (sscanf(text, "%d %llu", &pid, &started) != 2) return -1;
    int handle = (int)syscall(NR_PIDFD_OPEN, pid, 0);
    return handle >= 0 && start_time(pid) == started ? handle : -1;
}

/* A terminal of the container's own; its other end goes to whoever started us. -1: there is none. */
static int open_terminal(void) {
    int unlock = 0, number = 0, master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    char path[32], nothing = 0, room[CMSG_SPACE(sizeof(int))] = {0};
    if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) != 0 || ioctl(master, TIOCGPTN, &number) != 0) return -1;
    snprintf(path, sizeof path, "/dev/pts/%d", number);
    int terminal = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct iovec part = {.iov_base = &nothing, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &master, sizeof(int));
    if (terminal < 0 || sendmsg(0, &message, 0) != 1) return -1;
    close(master);
    return terminal;
}

static void __attribute__((noreturn)) run_command(int gate, int terminal, char **arguments) {
    char **environment = calloc(specification_size / 2 + 2, sizeof *environment);
    const char *folder_of_work = "/", *user = NULL, *group = NULL, *kept = NULL;
    size_t count = 0;
    if (!environment) give_up("out of memory");
    char *cursor = specification, *word;
    while ((word = next_word(&cursor))) {
        char *first = next_word(&cursor);
        if (!first) give_up("the specification ends within an operation");
        if (!strcmp(word, "capabilities")) kept = first;
        else if (!strcmp(word, "user")) { user = first; group = next_word(&cursor); }
        else if (!strcmp(word, "working-folder")) folder_of_work = first;
        else if (!strcmp(word, "environment")) environment[count++] = first;
        else if (!strncmp(word, "bind", 4) || !strcmp(word, "link") || !strcmp(word, "tmpfs")) next_word(&cursor);
    }
    if (terminal >= 0) environment[count++] = "TERM=xterm"; /* as containerd gives it */
    umask(022);
    if (chdir(folder_of_work) != 0) give_up("cannot enter %s: %s", folder_of_work, strerror(errno));
    setsid();
    for (int number = 0; terminal >= 0 && number < 3; number++) dup2(terminal, number);
    if (terminal >= 0 && ioctl(0, TIOCSCTTY, 0) != 0) give_up("cannot take the terminal: %s", strerror(errno));
    if (kept) drop_capabilities(kept);
    if (user) become(user, group);
    setpriority(PRIO_PROCESS, 0, NICENESS);
    reset_signals();
    wait_for_leave(gate);
    execute(arguments, environment);
}

static int exec_in_container(int wants_terminal, char **arguments) {
    int gate[2], trouble[2], groups[MOST_GROUPS], group_count = 0, terminal = -1;
    char text[MESSAGE_LIMIT], path[PATH_MAX];
    int handle = container_handle();
    if (handle < 0 || read_specification() != 0) return tell("error", 128, "the container does not run");
    char *cursor = specification, *word;
    while ((word = next_word(&cursor)) && group_count < MOST_GROUPS) { /* while the host's files are seen */
        if (strcmp(word, "cgroup")) continue;
        snprintf(path, sizeof path, "%s/cgroup.procs", next_word(&cursor));
        groups[group_count++] = open(path, O_WRONLY | O_CLOEXEC);
    }
    int spaces = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | (wants_user_namespace() ? CLONE_NEWUSER : 0);
    if (setns(handle, spaces) != 0) return tell("error", 128, "cannot enter the container: %s", strerror(errno));
    if (wants_terminal && (terminal = open_terminal()) < 0)
        return tell("error", 128, "cannot open a terminal: %s", strerror(errno));
    if (pipe2(gate, O_CLOEXEC) || pipe2(trouble, O_CLOEXEC)) return tell("error", 128, "%s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0) return tell("error", 128, "cannot start a process in the container: %s", strerror(errno));
    if (pid == 0) {
        complaint = trouble[1];
        close(gate[1]);
        run_command(gate[0], terminal, arguments);
    }
    close(trouble[1]);
    close(terminal);
    for (int number = 0; number < 3; number++) close(number); /* their end is the command's to make */
    snprintf(text, sizeof text, "%d", pid);
    for (int number = 0; number < group_count; number++)
        if (write(groups[number], text, strlen(text)) < 0) break; /* a limit that cannot be had */
    if (write(gate[1], "g", 1) != 1) return tell("error", 128, "cannot start the command: %s", strerror(errno));
    ssize_t length = read(trouble[0], text, sizeof text - 1);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    if (length > 0) {
        text[length] = 0;
        return tell("error", 128, "%s", text);
    }
    if (WIFSIGNALED(status)) tell("signal", WTERMSIG(status), "");
    else tell("exit", WEXITSTATUS(status), "");
    return 0;
}

int main(int count, char **words) {
    int commands = count > 5 && !strcmp(words[2], "exec");
    if ((count != 2 && !commands) || (folder = open(words[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
        fprintf(stderr, "usage: desk-shim FOLDER [exec WORD TERMINAL COMMAND...]\n");
        return 2;
    }
    setsid();
    signal(SIGHUP, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    syscall(NR_CLOSE_RANGE, 3, ~0U, CLOSE_RANGE_AS_CLOEXEC);
    if (commands) {
        word_to = atoi(words[3]);
        return exec_in_container(!strcmp(words[4], "1"), words + 5);
    }
    if (!claim()) return 0;
    if (read_specification() != 0) fail("cannot read the specification");
    log_file = openat(folder, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int output[2], errors[2], gate[2], trouble[2], ended[2];
    if (log_file < 0 || nothing < 0 || pipe2(output, O_CLOEXEC) || pipe2(errors, O_CLOEXEC) || pipe2(gate, O_CLOEXEC) ||
        pipe2(trouble, O_CLOEXEC) || pipe2(ended, O_CLOEXEC | O_NONBLOCK))
        fail("cannot prepare the container");
    child_ended = ended[0];
    child_ended_write = ended[1];
    struct sigaction action = {.sa_handler = on_child, .sa_flags = SA_RESTART};
    sigaction(SIGCHLD, &action, NULL);

    int mapped = wants_user_namespace();
    unsigned long flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | (mapped ? CLONE_NEWUSER : 0) | SIGCHLD;
    pid_t pid = (pid_t)syscall(SYS_clone, flags, 0, 0, 0, 0);
    if (pid < 0) fail("cannot isolate the container");
    if (pid == 0) {
        complaint = trouble[1];
        close(lock);    /* the lock says that the shim lives, not that its child does */
        close(gate[1]); /* so that the end of the shim ends the wait for it */
        setsid();
        dup2(nothing, 0);
        dup2(output[1], 1);
        dup2(errors[1], 2);
        run_container(gate[0], mapped);
    }
    close(gate[0]);
    close(output[1]);
    close(errors[1]);
    close(trouble[1]);
    if (mapped) {
        map_user(pid);
        if (write(gate[1], "m", 1) != 1) fail("cannot map the user");
    }
    join_cgroups(pid);
    char text[MESSAGE_LIMIT];
    snprintf(text, sizeof text, "%d %llu", pid, start_time(pid));
    put("process", text);
    if (write(gate[1], "g", 1) != 1) fail("cannot start the container");
    close(gate[1]);

    ssize_t length = read(trouble[0], text, sizeof text - 1); /* nothing: exec closed it */
    close(trouble[0]);
    if (length > 0) {
        text[length] = 0;
        waitpid(pid, NULL, 0);
        put_ended("error", 128, text);
        return 0;
    }
    stamp(text, sizeof text);
    put("started", text);

    static struct stream streams[2];
    streams[0] = (struct stream){.pipe = output[0], .name = "stdout"};
    streams[1] = (struct stream){.pipe = errors[0], .name = "stderr"};
    int status = follow_until_it_ends(pid, streams);
    if (WIFSIGNALED(status)) put_ended("signal", WTERMSIG(status), "");
    else put_ended("exit", WEXITSTATUS(status), "");
    return 0;
}
