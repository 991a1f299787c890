#include "control/microvm/guest_role.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/stamp.h"
#include "base/steady.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/microvm/metadata.h"

#define ROLE_MARGIN_MS     (10 * 60000) /* renewed so long before they end */
#define ROLE_YOUNG_MS      (45 * 60000) /* a resume leaves those that are good for longer */
#define ROLE_WAIT_MS       5000         /* a start waits so long */
#define ROLE_RETRY_MS      1000         /* after a failure; twice as long after the next */
#define ROLE_RETRY_MOST_MS 60000

struct guest_role {
	char *arn;                        /* owned */
	char machine_id[MACHINE_ID_SIZE]; /* for whose guest they were asked */
	bool asking, beginning;
	unsigned failures;
	int64_t asked_ms, next_ms;    /* on clock_boot_ms() */
	int64_t renew_ms, expires_ms; /* steady */
	char *text;                   /* JSON; NULL: none.  Owned */
	struct buf more;              /* as in struct credentials */
	void (*ready)(struct microvm *vm);
};

static struct guest_role *role_of(const struct microvm *vm)
{
	return vm->lifecycle ? vm->lifecycle->role : NULL;
}

const char *guest_role_text(const struct microvm *vm)
{
	const struct guest_role *r = role_of(vm);

	return r ? r->text : NULL;
}

static void role_wipe(struct guest_role *r)
{
	if (r->text)
		explicit_bzero(r->text, strlen(r->text));
	free(r->text);
	r->text = NULL;
	buf_free(&r->more);
	r->renew_ms = r->expires_ms = 0;
}

static char *role_arn(const struct microvm *vm)
{
	json_t *params, *arn;
	char *text;

	if (!vm->params || !strstr(vm->params, "\"executionRoleArn\""))
		return NULL;
	params = model_params(vm);
	arn = json_object_get(params, "executionRoleArn");
	text = json_is_string(arn) ? xstrdup(json_string_value(arn)) : NULL;
	json_decref(params);
	return text;
}

/* NULL: it has no role that gives credentials. */
static struct guest_role *role_make(struct microvm *vm)
{
	struct lifecycle *l = lifecycle_of(vm);
	const struct guest_role_ops *ops = vm->ctl->guest_role_ops;
	autofree char *arn = l->role || !ops ? NULL : role_arn(vm);

	if (arn && ops->known(vm->ctl, vm->account, arn)) {
		l->role = xcalloc(1, sizeof(*l->role));
		l->role->arn = xstrdup(arn);
	}
	return l->role;
}

static void role_keep(struct guest_role *r, const struct credentials *c, int64_t now_ms)
{
	int64_t lasts_ms = c->expires_ms - now_ms;
	char now[STAMP_SIZE], expires[STAMP_SIZE];
	json_t *all;

	role_wipe(r);
	stamp_text(steady_shown(now_ms), now);
	stamp_text(steady_shown(c->expires_ms), expires);
	all = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "Code", "Success", "LastUpdated", now,
			"Type", "AWS-HMAC", "AccessKeyId", c->key, "SecretAccessKey", c->secret,
			"Token", c->token, "Expiration", expires);
	r->text = json_dumps(all, JSON_INDENT(2));
	json_decref(all);
	if (c->more)
		buf_add(&r->more, c->more->data, c->more->size);
	r->expires_ms = c->expires_ms;
	r->renew_ms =
		c->expires_ms - (lasts_ms < 2 * ROLE_MARGIN_MS ? lasts_ms / 2 : ROLE_MARGIN_MS);
}

static void role_ready(struct microvm *vm, struct guest_role *r)
{
	void (*ready)(struct microvm * vm) = r->ready;

	r->ready = NULL;
	if (ready)
		ready(vm);
}

static void role_failed(const struct microvm *vm, struct guest_role *r, const struct err *e)
{
	int64_t wait_ms = ROLE_RETRY_MS << (r->failures < 6 ? r->failures : 6);

	r->failures++;
	r->next_ms =
		clock_boot_ms() + (wait_ms < ROLE_RETRY_MOST_MS ? wait_ms : ROLE_RETRY_MOST_MS);
	log_warn("a microVM's role gives no credentials id=%s role=%s error=\"%s\"", vm->id, r->arn,
		 e->text);
}

/* An answer may come when the start that asked has failed, and another one has a machine that has
 * no guest yet. */
static bool role_guest_listens(const struct microvm *vm, const struct guest_role *r)
{
	return vm->machine && !strcmp(vm->machine_id, r->machine_id) &&
	       (vm->starting || vm->state == VM_RUNNING);
}

static void role_given(struct control *ctl, const char *microvm, const struct credentials *c,
		       const struct err *e)
{
	struct microvm *vm = model_microvm(ctl, microvm);
	struct guest_role *r = vm ? role_of(vm) : NULL;

	if (!r)
		return;
	r->asking = false;
	if (!c) {
		role_failed(vm, r, e);
	} else {
		r->failures = 0;
		r->next_ms = 0;
		role_keep(r, c, steady_ms());
		if (!role_guest_listens(vm, r))
			role_wipe(r); /* the next start asks, or the next tick if it runs on */
		else if (!r->beginning)
			metadata_push(vm, r ? r->text : NULL, r ? &r->more : NULL);
	}
	role_ready(vm, r);
}

static void role_ask(struct microvm *vm, struct guest_role *r)
{
	r->asking = true;
	memcpy(r->machine_id, vm->machine_id, sizeof(r->machine_id));
	r->asked_ms = clock_boot_ms();
	vm->ctl->guest_role_ops->ask(vm->ctl, vm, r->arn, role_given);
}

void guest_role_begin(struct microvm *vm)
{
	struct guest_role *r = role_make(vm);

	if (r && !r->asking &&
	    (strcmp(r->machine_id, vm->machine_id) != 0 ||
	     r->expires_ms - steady_ms() < ROLE_YOUNG_MS)) {
		role_wipe(r);
		r->beginning = true;
		role_ask(vm, r);
		r->beginning = false;
	}
	metadata_push(vm, r ? r->text : NULL, r ? &r->more : NULL);
}

void guest_role_wait(struct microvm *vm, void (*ready)(struct microvm *vm))
{
	struct guest_role *r = role_of(vm);

	if (r && r->asking)
		r->ready = ready;
	else
		ready(vm);
}

void guest_role_leave(struct microvm *vm)
{
	struct guest_role *r = role_of(vm);

	if (r)
		r->ready = NULL;
}

void guest_role_adopt(struct microvm *vm)
{
	(void)role_make(vm); /* the next tick asks */
}

void guest_role_tick(struct microvm *vm, int64_t boot_ms)
{
	struct guest_role *r = role_of(vm);
	int64_t now_ms;

	if (r && r->ready && boot_ms - r->asked_ms >= ROLE_WAIT_MS)
		role_ready(vm, r);
	if (!r || r->asking || vm->state != VM_RUNNING || !vm->machine)
		return;
	now_ms = steady_ms();
	if (r->text &&
	    now_ms >= r->expires_ms) { /* whoever reads them would be refused with them */
		role_wipe(r);
		metadata_push(vm, r ? r->text : NULL, r ? &r->more : NULL);
	}
	if (boot_ms >= r->next_ms && now_ms >= r->renew_ms)
		role_ask(vm, r);
}

void guest_role_sleep(struct microvm *vm)
{
	struct guest_role *r = role_of(vm);

	if (r)
		role_wipe(r);
}

void guest_role_end(struct microvm *vm)
{
	autofree char *arn = role_arn(vm);

	guest_role_free(vm);
	if (arn && vm->ctl->guest_role_ops)
		vm->ctl->guest_role_ops->drop(vm->ctl, vm);
}

void guest_role_free(struct microvm *vm)
{
	struct guest_role *r = role_of(vm);

	if (!r)
		return;
	role_wipe(r);
	free(r->arn);
	free(r);
	vm->lifecycle->role = NULL;
}
