/* machine.h - one machine: a process that priv started, its protocol (ipc/machine.h) and the agent
 * behind it (ipc/agent.h).
 *
 * A machine has one owner at a time, the pool or a microVM.  Each call is answered once, on the
 * loop and in any order: rc 0, or -1 with *e if the machine refused or its deadline passed.
 * Nothing is called after `down` or machine_end.  The struct frees itself when priv has cleared
 * what belongs to the process. */
#ifndef CONTROL_MACHINE_MACHINE_H
#define CONTROL_MACHINE_MACHINE_H

#include "control/control.h"
#include "control/machine/agent_read.h"
#include "control/model/model.h"

struct machine_ops {
	/* The process has said hello; @run is the state that it is in. */
	void (*up)(struct machine *m, enum machine_run run);
	/* It ended by itself or never began; @reason is a sentence.  The machine clears itself. */
	void (*down)(struct machine *m, const char *reason);
	void (*log)(struct machine *m, const uint8_t *data, size_t size, uint64_t dropped);
	void (*exited)(struct machine *m, unsigned code); /* the application's process 1 */
	/* A save is complete that an earlier control had asked for; may be NULL. */
	void (*saved)(struct machine *m, const struct machine_saved *saved);
	/* The application asks to be kept awake so long; may be NULL. */
	void (*lease)(struct machine *m, uint64_t lease_ms);
};

typedef void machine_done(struct machine *m, int rc, const struct ipc_msg *answer,
			  const struct err *e);
typedef void machine_hooked(struct machine *m, enum agent_outcome outcome, unsigned status);
typedef void machine_ended(void *arg);

struct machine {
	struct list in;
	struct hash_node by_id;
	struct control *ctl; /* borrowed, as is version */
	char id[MACHINE_ID_SIZE];
	struct image_version *version;
	const struct machine_ops *ops;
	void *owner;
	enum machine_run run; /* as it said in its hello, and CONTINUE since then */
	/* Of the last STATS, and when that came; 0: never. */
	uint64_t private_bytes, proportional_bytes, cpu_ns;
	int64_t stats_ms;
	struct prewarm *prewarm; /* pool/prewarm.c: what is under way */
	/* process.c's own. */
	struct chan_uv chan;
	struct agent_stream agent;
	struct list calls;
	char last_words[IPC_TEXT_SIZE];
	bool adopted; /* an earlier control started it */
	bool ending;
	bool cleared; /* priv has cleared it */
	machine_ended *ended;
	void *ended_arg;
};

int machines_open(struct control *ctl, struct err *e) must_check;
void machines_close(struct control *ctl); /* the processes live on */
unsigned machines_count(const struct control *ctl);
struct list *machines_all(const struct control *ctl); /* of struct machine, by `in` */

void machine_new_id(char id[MACHINE_ID_SIZE]);
/* Starts a process for this version.  `up` or `down` follows. */
struct machine *machine_start(struct control *ctl, struct image_version *v, const char *id,
			      bool internet, const struct machine_ops *ops, void *owner);
/* Starts a process without an image.  Whoever takes it later sets its version. */
struct machine *machine_start_spare(struct control *ctl, enum priv_machine_kind kind,
				    const struct machine_shape *shape,
				    const struct machine_ops *ops, void *owner);
/* Connects to a process that an earlier control started. */
struct machine *machine_adopt(struct control *ctl, struct image_version *v, const char *id,
			      const struct machine_ops *ops, void *owner);
void machine_own(struct machine *m, const struct machine_ops *ops, void *owner);

/* Requests of ipc/machine.h.  Each type has its deadline; descriptors stay the caller's. */
void machine_ask(struct machine *m, enum machine_type type, const void *body, const int *fds,
		 unsigned n_fds, machine_done *done);
void machine_simple(struct machine *m, enum machine_type type, machine_done *done);
void machine_stats(struct machine *m, machine_done *done);

/* Frames to the agent.  `done` is called when the guest has acknowledged. */
void machine_resumed(struct machine *m, const char *identity, int64_t timeout_ms,
		     machine_done *done);
void machine_prewarm(struct machine *m, int64_t timeout_ms, machine_done *done);
void machine_hook(struct machine *m, enum hook hook, const char *body, machine_hooked *done);
/* Frames that the guest answers with nothing. */
void machine_tell(struct machine *m, const struct buf *frames);

/* Kills the process and clears all that belongs to it, then calls @ended (may be NULL). */
void machine_end(struct machine *m, machine_ended *ended, void *arg);

struct machine *machine_find(struct control *ctl, const char *id); /* NULL: there is none */

/* For priv_open: priv says that this process has ended. */
void machine_gone(struct control *ctl, const char *id);

#endif
