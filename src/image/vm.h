/* vm.h - a machine of a build. priv makes it, ipc/machine.h is its protocol, and it is used once.
 */
#ifndef IMAGE_VM_H
#define IMAGE_VM_H

#include "image/image.h"
#include "ipc/engine.h"
#include "ipc/machine.h"
#include "wire/agent.h"

struct vm;

struct vm_ops {
	void (*up)(struct vm *vm);                                 /* it takes requests now */
	void (*down)(struct vm *vm, const struct err *e);          /* it has ended by itself */
	void (*frame)(struct vm *vm, const struct agent_frame *f); /* a frame from the guest */
};

/* The struct is embedded in the build. */
struct vm {
	struct list in;
	struct image_role *role;
	const struct vm_ops *ops;
	char id[IPC_ID_SIZE]; /* "": none */
	struct chan_uv *chan; /* frees itself */
	struct request start, request, stats, look, end;
	struct buf from_guest;
	void (*answered)(struct vm *vm, struct ipc_msg *m, const struct err *e);
	void (*sampled)(struct vm *vm, const struct machine_stats *s);
	void (*told)(struct vm *vm, struct ipc_msg *m);
	void (*ended)(struct vm *vm);
	uint32_t asked;   /* enum machine_type: the type of `request` */
	uint64_t next_id; /* of agent frames */
	bool expected;    /* its end is expected, after SNAPSHOT or STOP */
};

/* @what holds everything but the name and the owner. */
void vm_start(struct vm *vm, struct image_role *role, const struct vm_ops *ops,
	      const struct priv_machine_start *what);
/* There may be one request at a time. If it is refused or the machine is gone, @m is NULL and *e
 * says why; `down` is not called then. */
void vm_request(struct vm *vm, const struct request_what *what,
		void (*answered)(struct vm *vm, struct ipc_msg *m, const struct err *e));
void vm_sample(struct vm *vm, void (*sampled)(struct vm *vm, const struct machine_stats *s));
/* Asks beside a request, one question at a time.  @m is NULL if the machine is gone, and a FAULT if
 * it refuses.  False: another question is under way, or there is no machine yet. */
bool vm_ask(struct vm *vm, const struct request_what *what,
	    void (*told)(struct vm *vm, struct ipc_msg *m));
void vm_send(struct vm *vm, const struct buf *frames); /* to the guest */
char *vm_stream(const struct vm *vm);                  /* the path of its stream.sock */
/* Kills the machine, if there is one, and lets priv clear all of it. After this only @ended is
 * called, perhaps before this returns. */
void vm_end(struct vm *vm, void (*ended)(struct vm *vm));

void vms_gone(struct image_role *role, const struct priv_machine *m); /* priv's event */

#endif
