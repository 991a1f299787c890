/* shell_parts.h - the files of shell.h: shell.c has the sessions, shell_host.c the connections of
 * the host, and shell_start.c makes the terminal and the process. */
#ifndef GUEST_SHELL_PARTS_H
#define GUEST_SHELL_PARTS_H

#include "base/buf.h"
#include "base/loop.h"
#include "base/rand.h"
#include "guest/ring.h"
#include "ipc/shell.h"
#include "wire/agent.h"

#define SHELL_DETACHED                                                            \
	(SHELL_RING / 2) /* printed while nobody is there, then the program waits \
			  */
#define SHELL_FAULT 512

/* STARTING: the process is not the shell yet.  OVER: it has ended, and its last bytes may still
 * lie in the terminal; DRAINED: they do not. */
struct app_spec;
struct shells;

enum shell_state { SHELL_STARTING, SHELL_RUNS, SHELL_OVER, SHELL_DRAINED };

struct shell {
	struct list in;
	struct shells *all; /* borrowed */
	enum shell_state state;
	char id[UUID_SIZE];
	int pid, code;
	int terminal, report; /* owned: the terminal's master; why it could not start, or an end */
	struct watch on_terminal, on_report;
	struct timer grace;
	struct ring ring;
	uint64_t sent, taken;    /* to the host; by the host: numbers of bytes */
	struct buf typed;        /* not in the terminal yet */
	size_t foreign;          /* so many of these came by an earlier connection */
	struct shell_host *host; /* borrowed; NULL: nobody is there */
};

struct shell_host {
	struct list in;
	struct shells *all;  /* borrowed */
	struct shell *shell; /* borrowed; NULL: has not asked for one, or has nothing to do with it
				any more */
	int fd;              /* owned */
	struct watch watch;
	struct buf read, out;
	bool ends; /* nothing follows `out`, and nothing that comes counts */
};

/* shell.c */
/* NULL: *e says why.  The host hears of the shell's start later. */
struct shell *shell_new(struct shells *all, const char *id, struct err *e);
struct shell *shell_find(const struct shells *all, const char *id);
void shell_free(struct shell *s);
/* @host NULL: nobody.  @from: the number of the first byte to send, if that is kept. */
void shell_attach(struct shell *s, struct shell_host *host, uint64_t from);
void shell_detach(struct shell *s);
void shell_type(struct shell *s, const uint8_t *data, size_t size);
void shell_resize(struct shell *s, uint64_t columns, uint64_t rows);
/* Something changed: print, read and type what is allowed now.  *s may be gone afterwards. */
void shell_settle(struct shell *s);

/* shell_host.c */
void shell_host_say(struct shell_host *h, enum shell_type type, enum shell_field field,
		    uint64_t value);
void shell_host_refuse(struct shell_host *h, const char *reason);
/* What was said goes out.  Its session, if it has one, stays without a host. */
void shell_host_end(struct shell_host *h);
bool shell_host_full(const struct shell_host *h);
void shell_host_print(struct shell_host *h, const uint8_t *data, size_t size);
void shell_host_flush(struct shell_host *h);

/* shell_start.c: fills in pid, terminal and report. */
int shell_start(struct shell *s, int application, const struct app_spec *like,
		struct err *e) must_check;
void shell_sweep(void); /* the cgroups of shells that are over */

#endif
