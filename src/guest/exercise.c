#include "guest/exercise.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXERCISE_MEMORY (256 * MIB)

extern const char exercise_python[]; /* exercise.py, made by tools/embed */

/* The interpreter runs isolated: without environment, without the packages of user or site, and
 * without writing anything. */
const struct exercise exercises[] = {
	{ "python3", { "-I", "-S", "-B", "-c", exercise_python } },
};

const size_t exercises_count = ARRAY_SIZE(exercises);

/* The process of the application that runs on an interpreter we know. */
struct subject {
	const struct exercise *what;
	char path[PATH_MAX]; /* of the interpreter, in the application's root */
	int exe_fd, mnt_fd, root_fd;
	uid_t uid;
	gid_t gid;
};

const struct exercise *exercise_for(const char *program)
{
	const char *name = strrchr(program, '/');

	name = name ? name + 1 : program;
	for (size_t i = 0; i < exercises_count; i++)
		if (!strncmp(name, exercises[i].name, strlen(exercises[i].name)))
			return &exercises[i];
	return NULL;
}

static int subject_open(const char *pid, const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%.16s/%s", pid, name);
	return open(path, flags | O_CLOEXEC);
}

static bool subject_fits(struct subject *s, const char *pid)
{
	char path[64];
	struct stat st;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%.16s/exe", pid);
	n = readlink(path, s->path, sizeof(s->path) - 1);
	if (n <= 0)
		return false; /* It is a kernel thread, or gone. */
	s->path[n] = '\0';
	s->what = exercise_for(s->path);
	snprintf(path, sizeof(path), "/proc/%.16s", pid);
	if (!s->what || stat(path, &st))
		return false;
	s->uid = st.st_uid;
	s->gid = st.st_gid;
	s->exe_fd = subject_open(pid, "exe", O_RDONLY);
	s->mnt_fd = subject_open(pid, "ns/mnt", O_RDONLY);
	s->root_fd = subject_open(pid, "root", O_RDONLY | O_DIRECTORY);
	return s->exe_fd >= 0 && s->mnt_fd >= 0 && s->root_fd >= 0;
}

static void subject_close(struct subject *s)
{
	fd_close(&s->exe_fd);
	fd_close(&s->mnt_fd);
	fd_close(&s->root_fd);
}

static bool subject_find(struct subject *s)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	bool found = false;

	*s = (struct subject){ .exe_fd = -1, .mnt_fd = -1, .root_fd = -1 };
	while (proc && !found && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]) || !strcmp(entry->d_name, "1"))
			continue;
		found = subject_fits(s, entry->d_name);
		if (!found)
			subject_close(s);
	}
	if (proc)
		closedir(proc);
	return found;
}

static void exercise_limit(void)
{
	const struct rlimit memory = { EXERCISE_MEMORY, EXERCISE_MEMORY }, none = { 0, 0 };

	setrlimit(RLIMIT_AS, &memory);
	setrlimit(RLIMIT_FSIZE, &none);
	setrlimit(RLIMIT_CORE, &none);
}

/* Runs in the child, in its new namespaces.  On any failure the child just exits. */
static _Noreturn void exercise_child(const struct subject *s, int in, int out)
{
	char *argv[EXERCISE_WORDS + 2] = { (char *)(uintptr_t)s->path };
	char *env[] = { NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t signals;

	for (size_t i = 0; i < EXERCISE_WORDS && s->what->argv[i]; i++)
		argv[i + 1] = (char *)(uintptr_t)s->what->argv[i];
	sigemptyset(&signals);
	sigprocmask(SIG_SETMASK, &signals, NULL);
	if (null < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(null, 2) < 0)
		_exit(1);
	exercise_limit();
	if (setns(s->mnt_fd, CLONE_NEWNS) || fchdir(s->root_fd) || chroot(".") || chdir("/") ||
	    syscall(SYS_setgroups, 0, NULL) || setresgid(s->gid, s->gid, s->gid) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		_exit(1);
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap);
	if (setresuid(s->uid, s->uid, s->uid))
		_exit(1);
	fexecve(s->exe_fd, argv, env);
	_exit(1);
}

static void exercise_done(struct exercising *x)
{
	void (*done)(struct exercising *) = x->done;

	x->done = NULL;
	loop_untimer(x->loop, &x->timer);
	if (done)
		done(x);
}

static void exercise_end(struct exercising *x)
{
	loop_unwatch(x->loop, &x->watch);
	fd_close(&x->ask); /* It reads the end of its input. */
	fd_close(&x->answer);
}

static void exercise_late(struct timer *t)
{
	struct exercising *x = container_of(t, struct exercising, timer);

	if (x->pid)
		kill(x->pid, SIGKILL);
	exercise_end(x);
	exercise_done(x);
}

static void exercise_answered(struct watch *w, uint32_t events)
{
	struct exercising *x = container_of(w, struct exercising, watch);
	char byte;

	(void)events;
	if (read(w->fd, &byte, 1) != 1)
		exercise_end(x);
	exercise_done(x);
}

static int exercise_clone(const struct subject *s, int in, int out)
{
	struct clone_args how = { .flags =
					  CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
				  .exit_signal = SIGCHLD };
	int pid = (int)syscall(SYS_clone3, &how, sizeof(how));

	if (!pid)
		exercise_child(s, in, out);
	return pid;
}

static bool exercise_begin(struct exercising *x)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };
	struct subject s;
	struct err e;

	if (!subject_find(&s))
		return false;
	if (!pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC))
		x->pid = exercise_clone(&s, in[0], out[1]);
	subject_close(&s);
	fd_close(&in[0]);
	fd_close(&out[1]);
	x->ask = in[1];
	x->answer = out[0];
	if (x->pid > 0 &&
	    !loop_watch(x->loop, &x->watch, x->answer, EPOLLIN, exercise_answered, &e))
		return true;
	exercise_end(x);
	return false;
}

void exercise_init(struct exercising *x, struct loop *l)
{
	*x = (struct exercising){ .loop = l, .ask = -1, .answer = -1 };
}

void exercise_prepare(struct exercising *x, void (*done)(struct exercising *x))
{
	if (x->pid || !exercise_begin(x)) {
		done(x);
		return;
	}
	x->done = done;
	loop_timer(x->loop, &x->timer, EXERCISE_MS, exercise_late);
}

void exercise_again(struct exercising *x, void (*done)(struct exercising *x))
{
	if (x->ask < 0 || write(x->ask, "x", 1) != 1) {
		done(x);
		return;
	}
	fd_close(&x->ask);
	x->done = done;
	loop_timer(x->loop, &x->timer, EXERCISE_MS, exercise_late);
}

void exercise_reaped(struct exercising *x, int pid)
{
	if (!x->pid || pid != x->pid)
		return;
	x->pid = 0;
	exercise_end(x);
	exercise_done(x);
}
