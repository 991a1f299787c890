/* request.c - the life of a request, and its steps on the disk. */

#include "objects/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/steady.h"
#include "objects/discard.h"

#define SEND_PIECE (128 * KIB)

struct request *request_new(struct s3 *s3, struct http_exchange *x)
{
	struct request *r = xcalloc(1, sizeof(*r));
	uint8_t id[8];

	rand_bytes(id, sizeof(id));
	for (size_t i = 0; i < sizeof(id); i++)
		snprintf(r->id + 2 * i, 3, "%02X", id[i]);
	r->s3 = s3;
	r->x = x;
	r->draft.fd = r->found.fd = r->copying.fd = -1;
	s3->requests++;
	return r;
}

static void request_free_source(struct source *s)
{
	bucket_unref(s->bucket);
	free(s->key);
	free(s->if_match);
	free(s->if_none_match);
	free(s->range);
}

static void request_free_commit(struct commit *c)
{
	object_free(c->object);
	free(c->text);
}

static void request_free(struct request *r)
{
	struct store *s = &r->s3->store;

	if (r->op && r->op->drop)
		r->op->drop(r);
	draft_drop(s, &r->draft);
	copying_free(s, &r->copying);
	request_free_source(&r->source);
	found_free(s, &r->found);
	request_free_commit(&r->commit);
	receive_free(&r->receive);
	buf_free(&r->send.piece);
	bucket_unref(r->bucket);
	key_unref(r->signer);
	r->s3->requests--;
	free(r->if_match);
	free(r->if_none_match);
	free(r->param_text);
	free(r);
}

void request_gone(struct request *r)
{
	r->x = NULL;
	if (r->step && r->phase == REQUEST_BODY && disk_task_cancel(&r->task))
		r->step = NULL;
	if (!r->step)
		request_free(r);
}

const char *request_param(const struct request *r, const char *name)
{
	for (size_t i = 0; i < r->n_params; i++)
		if (!strcmp(r->params[i].name, name))
			return r->params[i].value;
	return NULL;
}

const char *request_header(const struct request *r, const char *name)
{
	return r->x ? http_header(http_request(r->x), name) : NULL;
}

const char *request_secret(struct request *r, const char *id, const char *session, struct err *e)
{
	const struct access *a = &r->s3->access;
	struct access_key *key = keys_claim(&a->keys, id, session, steady_ms(), e);

	if (!key && !a->known && !keys_find(&a->keys, id))
		err_set(e, ERR_DENIED,
			"ServiceUnavailable: The access keys are not known yet. Please retry.");
	if (!key)
		return NULL;
	key_unref(r->signer);
	r->signer = key_ref(key);
	return key->secret;
}

void request_penalize(struct request *r, const struct err *e)
{
	static const char *const innocent[] = { "ServiceUnavailable:", "ExpiredToken:" };

	for (size_t i = 0; i < ARRAY_SIZE(innocent); i++)
		if (!strncmp(e->text, innocent[i], strlen(innocent[i])))
			return;
	http_penalize(r->x);
}

struct bucket *request_bucket(struct request *r)
{
	struct bucket *b = store_bucket(&r->s3->store, r->bucket_name);

	if (!b) {
		answer_fault(r, FAULT_NO_BUCKET, NULL);
		return NULL;
	}
	if (strcmp(b->owner, r->signer->who.account) != 0) {
		answer_fault(r, FAULT_ACCESS_DENIED, NULL);
		return NULL;
	}
	if (!r->bucket)
		r->bucket = bucket_ref(b);
	return b;
}

bool request_bucket_stays(struct request *r)
{
	if (r->bucket->dropped)
		answer_fault(r, FAULT_NO_BUCKET, NULL);
	return !r->bucket->dropped;
}

/* Steps. */

static bool request_turn(struct disk_task *t)
{
	struct request *r = container_of(t, struct request, task);

	return !r->step->turn || r->step->turn(r);
}

static void request_run(struct disk_task *t)
{
	struct request *r = container_of(t, struct request, task);

	r->step->run(r);
}

static void request_stepped(struct disk_task *t)
{
	struct request *r = container_of(t, struct request, task);
	const struct step *step = r->step;

	r->step = NULL;
	if (!t->refused)
		step->done(r);
	if (!r->step && !r->x)
		request_free(r);
}

void request_step(struct request *r, const struct step *step)
{
	assert(!r->step);
	r->step = step;
	r->rc = 0;
	r->task.turn = request_turn;
	r->task.run = request_run;
	r->task.done = request_stepped;
	disk_task_start(&r->s3->store.lanes[step->lane], &r->task);
}

/* Making a draft: the last piece of a body, or copies. */

static void make_run(struct request *r)
{
	r->rc = draft_write(&r->draft);
	if (!r->rc)
		r->rc = draft_copy(&r->draft, &r->copying);
	if (!r->rc)
		r->rc = draft_sync(&r->draft);
}

static void make_done(struct request *r);

static const struct step make_small = { .lane = STORE_SMALL, .run = make_run, .done = make_done };
static const struct step make_bulk = { .lane = STORE_BULK, .run = make_run, .done = make_done };

static void make_done(struct request *r)
{
	if (r->rc > 0) {
		request_step(r, &make_bulk);
		return;
	}
	s3_sum_free(r->copying.summing, r->copying.sum);
	r->copying.summing = NULL;
	r->made(r);
}

void request_make(struct request *r, void (*made)(struct request *r))
{
	bool copies = r->copying.fd >= 0 || r->copying.n;

	r->made = made;
	draft_change_over(&r->draft);
	copying_begin(&r->copying);
	request_step(r, copies || r->draft.made ? &make_bulk : &make_small);
}

/* Writing a body as it comes in. */

static void flush_run(struct request *r)
{
	r->rc = draft_write(&r->draft);
}

static void flush_done(struct request *r)
{
	struct err e;

	if (r->rc) {
		store_fail(&e, -r->rc, "write the object");
		answer_err(r, FAULT_INTERNAL, &e);
	} else if (r->phase == REQUEST_ENDED) {
		r->phase = REQUEST_RUNNING;
		r->op->run(r);
	} else if (r->phase == REQUEST_BODY && r->x) {
		request_flush(r);
		http_read_more(r->x);
	}
}

static const struct step flush_step = { .lane = STORE_BULK, .run = flush_run, .done = flush_done };

void request_flush(struct request *r)
{
	if (!draft_full(&r->draft))
		return;
	if (r->step) {
		http_read_stop(r->x);
		return;
	}
	draft_change_over(&r->draft);
	request_step(r, &flush_step);
}

/* Sending a file: the next piece is read when the client has taken the one before. */

static void send_run(struct request *r)
{
	size_t size = r->send.left < SEND_PIECE ? (size_t)r->send.left : SEND_PIECE;

	buf_reserve(&r->send.piece, size);
	r->rc = io_pread_full(r->found.fd, r->send.piece.data, size, (off_t)r->send.at);
	r->send.piece.size = size;
	if (r->rc || size == r->send.left)
		fd_close(&r->found.fd);
}

static void send_done(struct request *r)
{
	size_t size = r->send.piece.size;
	bool room;

	if (!r->x)
		return;
	if (r->rc) {
		log_err("a data file is too short or cannot be read bucket=%s errno=%d",
			r->bucket_name, -r->rc);
		http_abort(r->x);
		return;
	}
	r->send.at += size;
	r->send.left -= size;
	room = http_send_body(r->x, r->send.piece.data, size);
	buf_free(&r->send.piece);
	if (!r->send.left)
		http_send_end(r->x);
	else if (room)
		request_send(r);
}

static const struct step send_step = { .lane = STORE_READS, .run = send_run, .done = send_done };

void request_send(struct request *r)
{
	if (!r->send.left)
		http_send_end(r->x);
	else if (!r->step)
		request_step(r, &send_step);
}
