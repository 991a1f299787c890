/* seat.h - the processes of the roles: how one starts, and what it is handed. */
#ifndef DOZED_SEAT_H
#define DOZED_SEAT_H

#include <sys/types.h>

#include "base/loop.h"
#include "dozed/setup.h"
#include "ipc/chan.h"

#define SUPER_SEATS (ROLE_PROXY + SUPER_WORKER_SLOTS)

/* A process of a role.  Each role has one seat, in the order of enum role, and the last role, the
 * proxy, has all those from its own on. */
struct super_seat {
	struct super *super;
	enum role role;
	unsigned worker;             /* of the proxy; otherwise 0 */
	unsigned share;              /* which of the proxy's listeners are its own */
	struct super_seat *replaces; /* borrowed: it serves until this one is ready; NULL: none */
	bool used;                   /* it is to run */
	bool draining;               /* it ends by itself, and is not started again */
	pid_t pid;                   /* 0: not running */
	bool ready;
	int64_t started_ms, pause_ms;
	struct chan chan;
	struct watch watch;
	struct timer again;
};

struct super {
	struct super_setup *setup;
	struct loop *loop;
	struct super_seat seats[SUPER_SEATS];
	void (*on_channel)(struct watch *w, uint32_t events); /* of a seat */
	void (*on_start)(struct super_seat *seat);            /* hands over what is not a secret */
	unsigned workers;                                     /* of the proxy, that serve */
	struct watch signals;
	bool announced, stopping, keep, failed;
	bool unsaved; /* control has not suspended all microVMs: their machines stay */
	struct timer patience;
	struct timer tickets;      /* crew.c: until their keys change */
	int shares_fd;             /* crew.c; -1: none */
	struct shares *shares;     /* likewise, mapped */
	int access_log;            /* crew_log.c; -1: none */
	struct timer rotate;       /* likewise */
	struct crew_files *loaded; /* crew.c: what the workers were started from; owned */
};

/* Starts its role and hands over what that needs, its peers too. */
int seat_start(struct super *s, struct super_seat *seat, struct err *e) must_check;
void seat_send(struct super_seat *seat, uint32_t type, const void *body, size_t size, int fd);
/* Harmless if it does not run, or if its role does not get this one. */
void seat_send_secret(struct super_seat *seat, enum secret which);

#endif
