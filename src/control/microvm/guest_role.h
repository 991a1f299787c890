/* guest_role.h - the execution role of a microVM: its guest finds the role's credentials where SDKs
 * look for them (guest/metadata.h), made before a run's hook is called, renewed before they end,
 * and looked at again at each resume.
 *
 * Where credentials come from, api/credentials.c knows.  They are in control's memory while the
 * microVM has a machine, and in no row.  A role that gives none costs its microVM nothing else. */
#ifndef CONTROL_MICROVM_GUEST_ROLE_H
#define CONTROL_MICROVM_GUEST_ROLE_H

#include "control/model/model.h"

/* Texts of printable ASCII; those are the giver's. */
struct credentials {
	const char *key, *secret, *token; /* no token: "" */
	int64_t expires_ms;               /* steady */
	const struct buf *more;           /* further fields of AGENT_METADATA, or NULL */
};

/* Once for each ask, at once or later; @c NULL: there are none, and *e says why. */
typedef void credentials_given(struct control *ctl, const char *microvm,
			       const struct credentials *c, const struct err *e);

struct guest_role_ops {
	/* Does the configuration say where an account's role has its credentials from? */
	bool (*known)(struct control *ctl, const char *account, const char *arn);
	void (*ask)(struct control *ctl, const struct microvm *vm, const char *arn,
		    credentials_given *given);
	/* The microVM has ended: what was made for it alone goes. */
	void (*drop)(struct control *ctl, const struct microvm *vm);
};

/* The guest is about to learn who it is: asks for credentials, unless those that are there are
 * young, and gives the guest its metadata. */
void guest_role_begin(struct microvm *vm);
/* Calls @ready when an ask has ended, or has lasted too long; at once if there is none. */
void guest_role_wait(struct microvm *vm, void (*ready)(struct microvm *vm));
void guest_role_leave(struct microvm *vm); /* nobody waits any more */
/* For a microVM whose machine an earlier control started. */
void guest_role_adopt(struct microvm *vm);
void guest_role_tick(struct microvm *vm, int64_t boot_ms); /* once a second */
void guest_role_sleep(struct microvm *vm);                 /* it is SUSPENDED */
void guest_role_end(struct microvm *vm);                   /* it is TERMINATED */
void guest_role_free(struct microvm *vm);

/* What the guest serves as the role's credentials; NULL: nothing.  Borrowed. */
const char *guest_role_text(const struct microvm *vm);

#endif
