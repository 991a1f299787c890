/* configured.c - the keys that the configuration names (contract: kms.h). */

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/kms/files.h"
#include "control/kms/master.h"

struct configured {
	struct control *ctl;
	struct kms_key *key;
};

/* Nothing may be sealed by a key that a restart would not find. */
static void configured_written(void *arg, int rc, const struct err *e)
{
	struct configured *c = arg;

	c->key->changing = false;
	if (!rc)
		kms_files_add(c->ctl, c->key);
	if (rc) {
		log_err("a key of the configuration could not be written, and is made at the next "
			"start key=%s error=\"%s\"",
			c->key->alias, e->text);
		kms_forget(c->ctl, c->key);
	}
	free(c);
}

static void configured_make(struct control *ctl, const struct conf_kms_key *of)
{
	struct store_txn *t;
	struct configured *c;
	struct err e;
	struct kms_key *key = kms_new(ctl, ctl->conf->account, of->alias, *of->file, &e);

	if (!key) {
		log_err("a key of the configuration cannot be made key=%s error=\"%s\"", of->alias,
			e.text);
		return;
	}
	c = xcalloc(1, sizeof(*c));
	*c = (struct configured){ ctl, key };
	key->changing = true;
	kms_add(ctl, key);
	t = store_begin(ctl->store);
	kms_put(t, key);
	store_commit(t, configured_written, c);
	log_info("a key is made key=%s id=%s", of->alias, key->id);
}

/* A key that is there has the source that it was made with: another one would open nothing. */
static void configured_compare(const struct kms_key *key, const struct conf_kms_key *of)
{
	if (key->file && !*of->file)
		log_err("a key was made with a file that the configuration no longer gives: give "
			"[kms_key %s] file again",
			of->alias);
	else if (!key->file && *of->file)
		log_err("a key was made without a file, and the one that the configuration gives "
			"is not used: remove the key first, or leave out [kms_key %s] file",
			of->alias);
}

int kms_take_secret(struct control *ctl, const char *text, size_t size, struct err *e)
{
	if (master_take(ctl->kms->master, text, size, e))
		return -1;
	kms_files_add_all(ctl);
	for (size_t i = 0; i < ctl->conf->n_kms_keys; i++) {
		const struct conf_kms_key *of = &ctl->conf->kms_keys[i];
		struct err none;
		const struct kms_key *key = kms_find(ctl, ctl->conf->account, of->alias, &none);

		if (key)
			configured_compare(key, of);
		else
			configured_make(ctl, of);
	}
	return 0;
}
