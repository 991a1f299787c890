/* drive.h - plays a machine's owner: starts a monitor, tells it what to do, says what it answers.
 *
 * One thread, one machine.  What the machine says on its console (its stdout and stderr), on
 * machine.sock and by ending comes in through drive_until alone. */
#ifndef KVM_DRIVE_H
#define KVM_DRIVE_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "ipc/agent.h"
#include "ipc/machine.h"

#define DRIVE_WORDS 32 /* KEY=VALUE of one command */
#define DRIVE_LINES 60 /* of the console are said, not more */
#define DRIVE_SEEN  (64 * KIB)

/* A command and its words.  Values are borrowed from argv. */
struct words {
	const char *name;
	bool must_fail; /* it was written "!name" */
	struct {
		const char *key, *value;
	} word[DRIVE_WORDS];
	unsigned n;
};

const char *words_get(const struct words *w, const char *key); /* NULL if absent */
const char *words_need(const struct words *w, const char *key, struct err *e);
unsigned words_number(const struct words *w, const char *key, unsigned otherwise);

struct usage {
	int64_t wall_ns; /* on the monotonic clock */
	uint64_t cpu_ns; /* of all its threads */
};

struct drive {
	const struct words *start; /* program, args, id, vcpus, memory, tap, jail, fifo, trace */
	char dir[64];              /* its two sockets, and an empty folder */
	char root[72];
	struct machine_shape shape;
	bool raw;    /* no machine protocol is spoken */
	bool jailed; /* as a user of no rights in an empty root */
	bool left;   /* the machine outlives drive */

	pid_t pid;
	int pidfd;   /* -1: it has ended and was waited for */
	int console; /* what it says; -1: closed */
	int sock;    /* machine.sock; -1: closed */
	int status;
	char *overlay; /* of the running machine; becomes `disk` of what it saves */

	struct usage *at_exec; /* shared with the child, which writes it */
	struct usage mark, awaited;
	uint64_t next_tag;
	uint64_t private_bytes; /* of the last stats */
	bool tracing;

	struct buf seen;       /* of the console, behind what was awaited */
	size_t said, n_lines;  /* of `seen`, what was printed; lines in all */
	const char *forbidden; /* what its console should not have said */
	struct buf agent;      /* not yet a whole frame */
	unsigned frames[AGENT_NUM_TYPES];
	char reason[IPC_TEXT_SIZE]; /* of EXITED */
	struct ipc_msg message;     /* the last one */
	bool answered;
	bool refused; /* the last request, by a FAULT or an ERR */
};

int drive_start(struct drive *d, struct err *e) must_check;
void drive_end(struct drive *d); /* kill it if it lives; remove the sockets */
void drive_say(const struct drive *d, const char *fmt, ...) printf_like(2, 3);

/* talk.c.  Take what comes until done(d, arg), or for a while; -1 when nothing will come any more.
 */
int drive_until(struct drive *d, bool (*done)(struct drive *d, const void *arg), const void *arg,
		struct err *e) must_check;
int drive_for(struct drive *d, unsigned ms, struct err *e) must_check;
/* Connect, and wait until the machine says HELLO. */
int drive_hello(struct drive *d, struct err *e) must_check;
/* A request and its answer, which must not be FAULT. */
int drive_send(struct drive *d, uint32_t type, const void *body, size_t size, const int *fds,
	       unsigned n_fds, struct err *e) must_check;
int drive_answer(struct drive *d, struct err *e) must_check;
int drive_ask(struct drive *d, uint32_t type, const void *body, size_t size, const int *fds,
	      unsigned n_fds, struct err *e) must_check;
unsigned talk_agent_type(const char *name); /* AGENT_NONE: unknown */

/* One command of the command line. */
int drive_command(struct drive *d, const struct words *w, struct err *e) must_check;
int drive_boot(struct drive *d, const struct words *w, struct err *e) must_check;
int drive_restore(struct drive *d, const struct words *w, struct err *e) must_check;
int drive_snapshot(struct drive *d, const struct words *w, struct err *e) must_check;
int drive_touched(struct drive *d, const struct words *w, struct err *e) must_check;
int drive_save(struct drive *d, const struct words *w, struct err *e) must_check;
int drive_http(struct drive *d, const struct words *w, struct err *e) must_check;

/* measure.c: what it has used so far, what it holds. */
struct usage usage_now(const struct drive *d);
void measure_say(struct drive *d, const char *name);

/* trace.c: which system calls it makes, and what they cost. */
int trace_begin(struct drive *d, struct err *e) must_check; /* before the exec */
void trace_mark(const struct drive *d);
void trace_end(struct drive *d, const char *name);

#endif
