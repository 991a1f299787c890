/* Runs the children of a step: starts them from argument vectors, passes their output on, and waits
 * for them. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "image/step.h"
#include "image/step_procs.h"
#include "image/step_silence.h"

#define STEP_OUTPUT  (64 * MIB) /* of a child whose output we read */
#define STEP_IDLE_MS 1000       /* between looks at a child that may be idle for a time only */
#define STEP_ROOM_MS 100        /* between looks at the disk, which fills by 1 GiB a second */

void step_arg(struct step_argv *a, const char *arg)
{
	assert(a->n + 1 < ARRAY_SIZE(a->v));
	a->v[a->n++] = arg;
	a->v[a->n] = NULL;
}

void step_buildah(const struct step *s, struct step_argv *a, const char *verb)
{
	/* buildah would take a word "run" before the verb for the verb `run`. */
	static const char *const fixed[] = { "--runroot=run", "--storage-driver=overlay",
					     "--registries-conf" };

	a->n = 0;
	a->silence_s = 0;
	a->room = 0;
	step_arg(a, "buildah");
	step_arg(a, "--root");
	step_arg(a, s->store);
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		step_arg(a, fixed[i]);
	step_arg(a, s->registries_conf ? s->registries_conf : "registries.conf");
	step_arg(a, verb);
}

/* Watches the lines that pass for one that reports a full disk. */
struct step_watch {
	char tail[64];
	size_t n;
	bool full;
};

static void step_check(struct step_watch *w, const char *data, size_t size)
{
	static const char word[] = "o space left on device";

	for (size_t i = 0; i < size; i++) {
		w->n = data[i] == word[w->n] ? w->n + 1 : (data[i] == word[0] ? 1 : 0);
		if (w->n == sizeof(word) - 1) {
			w->full = true;
			w->n = 0;
		}
	}
}

/* A child's runtime moves some bytes to itself while it waits. */
#define STEP_STILL (16 * KIB)

/* A child that may be ended for doing nothing. */
struct step_idle {
	pid_t pid;
	unsigned silence_s; /* 0: never */
	uint64_t room;      /* that is left to others */
	uint64_t moved;     /* bytes that it had read and written when it was last looked at */
	time_t since;
};

/* The number behind a word of /proc/PID/io; 0: not there. */
static uint64_t step_io_value(const char *text, const char *word)
{
	const char *at = strstr(text, word);

	return at ? strtoull(at + strlen(word), NULL, 10) : 0;
}

/* A child whose bytes cannot be counted is taken to work. */
static bool step_is_idle(struct step_idle *i)
{
	autofree char *path = xasprintf("/proc/%d/io", (int)i->pid);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	autobuf struct buf text = { 0 };
	time_t now = time(NULL);
	uint64_t moved = 0;

	if (fd >= 0 && !io_read_all(fd, &text, 4 * KIB))
		moved = step_io_value(buf_str(&text), "rchar: ") +
			step_io_value(buf_str(&text), "wchar: ");
	if (!moved || moved - i->moved >= STEP_STILL) {
		i->moved = moved;
		i->since = now;
	}
	return now - i->since >= (time_t)i->silence_s;
}

static bool step_fills_disk(const struct step_idle *i)
{
	struct statvfs fs;

	return i->room && !fstatvfs(3, &fs) && fs.f_bavail * fs.f_frsize < i->room;
}

/* Whether what the log ends with is a whole line; ours must not continue a stranger's. */
static bool step_line_is_open;

/* The limit of each child, and why one was ended by it. */
static int64_t step_silence_ms;
static const char *step_silence_proc = "/proc";
static char step_silent[512];

void step_silence_limit(int64_t limit_ms, const char *proc)
{
	step_silence_ms = limit_ms;
	step_silence_proc = proc;
}

const char *step_silence_reason(void)
{
	return *step_silent ? step_silent : NULL;
}

static void step_silence_warn(const struct silence *s, const struct step_processes *p,
			      int64_t now_ms)
{
	autobuf struct buf text = { 0 };

	buf_addf(&text,
		 "%sdoze: warning: nothing has been printed for %lld seconds; these processes "
		 "run:\n",
		 step_line_is_open ? "\n" : "", (long long)((now_ms - s->heard_ms) / 1000));
	step_processes_print(p, &text);
	if (io_write_full(1, text.data, text.size))
		return; /* the next output fails in the same way, and is reported */
	step_line_is_open = false;
}

static int step_silence_end(const struct silence *s, const struct step_processes *p, int64_t now_ms,
			    struct err *e)
{
	char names[160];

	step_silence_warn(s, p, now_ms);
	step_processes_name(p, names, sizeof(names));
	snprintf(step_silent, sizeof(step_silent),
		 "The container image build failed. Nothing was printed or done for %lld seconds "
		 "([build] silence_timeout_ms), so it was ended; it ran %s.",
		 (long long)(s->limit_ms / 1000), *names ? names : "no process");
	return err_set(e, ERR_INVALID, "%s", step_silent);
}

static int step_silence_check(struct silence *s, struct err *e)
{
	autoclose int proc = open(step_silence_proc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct step_processes p;
	int64_t now_ms = clock_mono_ms();
	int rc = 0;

	step_processes_read(&p, proc);
	switch (silence_sample(s, now_ms, p.cpu_ms, p.written)) {
	case SILENCE_GO_ON:
		break;
	case SILENCE_WARN:
		step_silence_warn(s, &p, now_ms);
		break;
	case SILENCE_END:
		rc = step_silence_end(s, &p, now_ms, e);
		break;
	}
	step_processes_free(&p);
	return rc;
}

/* Looks at the disk come more often. */
static bool step_silence_due(const struct step_idle *i, const struct silence *s)
{
	return !i->room || clock_mono_ms() - s->sampled_ms >= silence_wait_ms(s);
}

void step_silence_begin(struct silence *s)
{
	silence_begin(s, step_silence_ms, clock_mono_ms());
}

int step_await_output(int fd, struct silence *s, struct err *e)
{
	struct pollfd output = { .fd = fd, .events = POLLIN };

	while (!poll(&output, 1, (int)silence_wait_ms(s)))
		if (step_silence_check(s, e))
			return -1;
	return 0;
}

static int step_drain(int fd, struct buf *out, struct step_watch *w, struct step_idle *i,
		      struct err *e)
{
	struct pollfd output = { .fd = fd, .events = POLLIN };
	struct silence silence;
	char data[16384];

	silence_begin(&silence, step_silence_ms, clock_mono_ms());
	for (;;) {
		int wait_ms = i->room        ? STEP_ROOM_MS
			      : i->silence_s ? STEP_IDLE_MS
					     : (int)silence_wait_ms(&silence);
		ssize_t n;

		if (!poll(&output, 1, wait_ms)) {
			if (i->silence_s && step_is_idle(i)) {
				kill(i->pid, SIGKILL);
				return STEP_SILENT;
			}
			if (step_fills_disk(i)) {
				kill(i->pid, SIGKILL);
				return STEP_FULL;
			}
			if (step_silence_due(i, &silence) && step_silence_check(&silence, e))
				return -1;
			continue;
		}
		n = read(fd, data, sizeof(data));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "read what a child says");
		if (!n)
			return 0;
		silence_heard(&silence, clock_mono_ms());
		if (out && out->size < STEP_OUTPUT)
			buf_add(out, data, (size_t)n);
		if (out)
			continue;
		step_check(w, data, (size_t)n);
		step_line_is_open = data[n - 1] != '\n';
		if (io_write_full(1, data, (size_t)n))
			return err_set(e, ERR_INTERNAL, "the build log cannot be written");
	}
}

static void step_child(struct step_argv *a, int output, bool with_errors)
{
	char *argv[ARRAY_SIZE(a->v)];
	int null = open("/dev/null", O_RDONLY);

	memcpy(argv, a->v, sizeof(argv));
	if (!strcmp(a->v[0], "tar")) /* only tar reads our standard input */
		null = 0;
	if (dup2(null, 0) < 0 || dup2(output, 1) < 0 || (with_errors && dup2(output, 2) < 0))
		_exit(126);
	signal(SIGPIPE, SIG_DFL);
	execvp(argv[0], argv);
	dprintf(2, "doze: %s: %s\n", argv[0], strerrordesc_np(errno));
	_exit(127);
}

static int step_start(struct step_argv *a, struct buf *out, bool errors, bool *full, struct err *e)
{
	struct step_idle idle = { .silence_s = a->silence_s, .room = a->room };
	struct step_watch watch = { 0 };
	int pipes[2], status, rc;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC))
		return err_sys(e, "make a pipe");
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		close(pipes[0]);
		close(pipes[1]);
		return err_sys(e, "start %s", a->v[0]);
	}
	if (!pid)
		step_child(a, pipes[1], errors);
	close(pipes[1]);
	idle.pid = pid;
	rc = step_drain(pipes[0], out, &watch, &idle, e);
	close(pipes[0]);
	if (rc) /* what it has started ends with the namespace */
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, "wait for %s", a->v[0]);
	if (full)
		*full = watch.full;
	if (rc)
		return rc;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int step_run(struct step_argv *a, struct buf *out, bool *full, struct err *e)
{
	return step_start(a, out, !out, full, e);
}

int step_run_all(struct step_argv *a, struct buf *out, struct err *e)
{
	return step_start(a, out, true, NULL, e);
}

int step_must(struct step_argv *a, struct buf *out, struct err *e)
{
	int rc = step_run(a, out, NULL, e);

	if (rc > 0)
		return err_set(e, ERR_INTERNAL, "%s ended with status %d", a->v[0], rc);
	return rc;
}
