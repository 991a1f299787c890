/* vm.h - a machine of a build: made by priv, spoken to by ipc/machine.h, used once. */
#ifndef IMAGE_VM_H
#define IMAGE_VM_H

#include "image/image.h"
#include "ipc/engine.h"
#include "ipc/machine.h"
#include "wire/agent.h"

struct vm;

struct vm_ops {
	void (*up)(struct vm *vm);                                 /* it may be asked */
	void (*down)(struct vm *vm, const struct err *e);          /* it ended by itself */
	void (*frame)(struct vm *vm, const struct agent_frame *f); /* the guest said something */
};

/* Embedded. */
struct vm {
	struct list in;
	struct image_role *role;
	const struct vm_ops *ops;
	char id[IPC_ID_SIZE]; /* "": none */
	struct chan_uv *chan; /* frees itself */
	struct request start, request, stats, end;
	struct buf from_guest;
	void (*answered)(struct vm *vm, struct ipc_msg *m, const struct err *e);
	void (*sampled)(struct vm *vm, const struct machine_stats *s);
	void (*ended)(struct vm *vm);
	uint32_t asked;   /* enum machine_type: what `request` is */
	uint64_t next_id; /* of agent frames */
	bool expected;    /* its end is no surprise: SNAPSHOT, STOP */
};

/* @what: all but its name and owner. */
void vm_start(struct vm *vm, struct image_role *role, const struct vm_ops *ops,
	      const struct priv_machine_start *what);
/* One at a time.  @m NULL and *e: refused, or the machine is gone (then `down` does not come). */
void vm_request(struct vm *vm, const struct request_what *what,
		void (*answered)(struct vm *vm, struct ipc_msg *m, const struct err *e));
void vm_sample(struct vm *vm, void (*sampled)(struct vm *vm, const struct machine_stats *s));
void vm_send(struct vm *vm, const struct buf *frames); /* to the guest */
char *vm_stream(const struct vm *vm);                  /* the path of its stream.sock */
/* Kill it and let priv clear all of it; also when there is none.  No other call comes after. */
void vm_end(struct vm *vm, void (*ended)(struct vm *vm));

void vms_gone(struct image_role *role, const struct priv_machine *m); /* of priv */

#endif
