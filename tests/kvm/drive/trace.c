/* trace.c - which system calls the machine makes, and what each costs, by the kernel's tracing.
 *
 * The clock of the trace is the processor's counter: where L1 counts instructions (run --icount) a
 * tick is one. A thread's time on a CPU goes to the call that it is in, or to none: its own code,
 * and its page faults. The tracing is in it, the guest is in KVM_RUN; so totals are measured in
 * other runs. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drive.h"

#define TRACING     "/sys/kernel/tracing/"
#define MARK_TEXT   "drive mark"
#define NR_IOCTL    16 /* x86-64 */
#define NR_EXECVE   59
#define NR_EXECVEAT 322
#define OWN         (-1L) /* in no call */
#define KEYS_MAX    256
#define THREAD_MAX  64

struct count {
	unsigned n;
	uint64_t ticks;
};

/* A system call, an ioctl by its request. */
struct key {
	long nr;
	unsigned long request;
	struct count all, marked; /* since the exec, since the last mark */
};

struct thread {
	long pid;
	struct key *in;
	uint64_t since; /* on a CPU; 0: it is not */
};

static struct key keys[KEYS_MAX];
static struct thread threads[THREAD_MAX];
static unsigned n_keys, n_threads;
static bool marked;

static int trace_put(const char *name, const char *text)
{
	autofree char *path = xasprintf(TRACING "%s", name);
	autoclose int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

static int trace_switch(const char *on)
{
	static const char *const events[] = { "raw_syscalls/sys_enter", "raw_syscalls/sys_exit",
					      "sched/sched_switch" };

	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		autofree char *name = xasprintf("events/%s/enable", events[i]);

		if (trace_put(name, on))
			return -1;
	}
	return trace_put("tracing_on", on);
}

int trace_begin(struct drive *d, struct err *e)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", d->pid);
	if (trace_put("tracing_on", "0") || trace_put("trace", "\n") ||
	    trace_put("trace_clock", "x86-tsc") || trace_put("buffer_size_kb", "8192") ||
	    trace_put("options/event-fork", "1") || trace_put("set_event_pid", pid) ||
	    trace_switch("1"))
		return err_sys(e, "trace system calls in " TRACING);
	d->tracing = true;
	return 0;
}

void trace_mark(const struct drive *d)
{
	if (d->tracing && trace_put("trace_marker", MARK_TEXT))
		drive_say(d, "no mark in the trace");
}

static struct key *key_of(long nr, unsigned long request)
{
	unsigned i = 0;

	while (i < n_keys && (keys[i].nr != nr || keys[i].request != request))
		i++;
	if (i == n_keys && n_keys < KEYS_MAX)
		keys[n_keys++] = (struct key){ .nr = nr, .request = request };
	return &keys[i < KEYS_MAX ? i : KEYS_MAX - 1];
}

static struct thread *thread_of(long pid)
{
	unsigned i = 0;

	while (i < n_threads && threads[i].pid != pid)
		i++;
	if (i == n_threads && n_threads < THREAD_MAX)
		threads[n_threads++] = (struct thread){ .pid = pid, .in = key_of(OWN, 0) };
	return &threads[i < THREAD_MAX ? i : THREAD_MAX - 1];
}

/* Up to now it was on a CPU, in what it is in. */
static void thread_account(struct thread *t, uint64_t now)
{
	uint64_t ticks = t->since ? now - t->since : 0;

	t->in->all.ticks += ticks;
	t->in->marked.ticks += ticks;
	t->since = now;
}

static void counts_begin(bool again, uint64_t now)
{
	for (unsigned i = 0; i < n_threads; i++)
		if (threads[i].since)
			thread_account(&threads[i], now);
	for (unsigned i = 0; i < n_keys; i++) {
		keys[i].marked = (struct count){ 0 };
		if (again)
			keys[i].all = (struct count){ 0 };
	}
}

static bool is_exec(long nr)
{
	return nr == NR_EXECVE || nr == NR_EXECVEAT;
}

/* "NR 16 (6, ae01, 0, ...)": the arguments are hexadecimal. */
static void on_enter(struct thread *t, uint64_t now, const char *text)
{
	unsigned long request = 0;
	long nr = -1;

	if (sscanf(text, "NR %ld (%*[^,], %lx", &nr, &request) < 1)
		return;
	if (is_exec(nr) && !marked)
		counts_begin(true, now);
	else
		thread_account(t, now);
	t->in = key_of(nr, nr == NR_IOCTL ? request : 0);
	t->in->all.n++;
	t->in->marked.n++;
}

static void on_switch(uint64_t now, const char *text)
{
	const char *prev = strstr(text, "prev_pid="), *next = strstr(text, "next_pid=");
	struct thread *t;

	if (!prev || !next)
		return;
	t = thread_of(strtol(prev + 9, NULL, 10));
	thread_account(t, now);
	t->since = 0;
	thread_of(strtol(next + 9, NULL, 10))->since = now;
}

/* "   doze-vmm-123     [000] d..2. 123456789: sys_enter: NR ..." */
static void trace_line(const char *line)
{
	const char *cpu = strstr(line, " ["), *colon = cpu ? strchr(cpu, ':') : NULL;
	const char *at = cpu, *text = colon ? colon + 2 : "";
	struct thread *t;
	uint64_t now;

	if (!colon)
		return;
	while (at > line && (at[-1] == ' ' || (at[-1] >= '0' && at[-1] <= '9')))
		at--;
	t = thread_of(strtol(at, NULL, 10));
	for (at = colon; at > cpu && at[-1] != ' ';)
		at--;
	now = strtoull(at, NULL, 10);
	if (!strncmp(text, "sys_enter: ", 11)) {
		on_enter(t, now, text + 11);
	} else if (!strncmp(text, "sys_exit: ", 10)) {
		thread_account(t, now);
		t->in = key_of(OWN, 0);
	} else if (!strncmp(text, "sched_switch: ", 14)) {
		on_switch(now, text + 14);
	} else if (strstr(text, MARK_TEXT)) {
		counts_begin(false, now);
		marked = true;
	}
}

/* "SYSCALLS name=N exec=N mark=N", and for each call that was made "SYSCALL name=N nr=N ..."; nr
 * -1: in none. */
static void trace_say(const char *name)
{
	unsigned n_exec = 0, n_mark = 0;

	for (unsigned i = 0; i < n_keys; i++) {
		const struct key *k = &keys[i];
		bool made = k->nr >= 0 && !is_exec(k->nr);

		if (!k->all.ticks)
			continue;
		printf("SYSCALL name=%s nr=%ld request=%lu exec=%u exec_ticks=%" PRIu64
		       " mark=%u mark_ticks=%" PRIu64 "\n",
		       name, k->nr, k->request, k->all.n, k->all.ticks, marked ? k->marked.n : 0,
		       marked ? k->marked.ticks : 0);
		n_exec += made ? k->all.n : 0;
		n_mark += made && marked ? k->marked.n : 0;
	}
	printf("SYSCALLS name=%s exec=%u mark=%u\n", name, n_exec, n_mark);
}

void trace_end(struct drive *d, const char *name)
{
	char line[512];
	FILE *file;

	if (!d->tracing)
		return;
	d->tracing = false;
	trace_switch("0");
	n_keys = n_threads = 0;
	marked = false;
	file = fopen(TRACING "trace", "re");
	while (file && fgets(line, sizeof(line), file))
		if (line[0] != '#')
			trace_line(line);
	if (file)
		fclose(file);
	trace_say(name);
}
