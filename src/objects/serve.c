/* serve.c - what the HTTP server calls for each exchange. */

#include "objects/ops.h"

static void serve_begin(struct request *r)
{
	struct err e;

	if (!route_request(r) || (r->op->begin && r->op->begin(r)))
		return;
	if (r->op->body == BODY_OBJECT) {
		if (!request_bucket(r))
			return;
		draft_begin(&r->draft, r->bucket);
		r->receive.draft = &r->draft;
	}
	if (r->op->body == BODY_FORM)
		return;
	r->receive.unsummed = r->op->body == BODY_XML_UNSUMMED;
	if (receive_begin(&r->receive, http_request(r->x), &r->claim, r->signer->secret, &e))
		answer_signature(r, &e);
}

static void serve_head(struct http_exchange *x)
{
	struct request *r = request_new(http_server_arg(x), x);

	http_set_user(x, r);
	serve_begin(r);
}

static size_t serve_body(struct http_exchange *x, const uint8_t *data, size_t size)
{
	struct request *r = http_user(x);
	struct err e;

	if (r->phase != REQUEST_BODY)
		return size;
	if (r->op->body == BODY_FORM)
		post_op_take(r, data, size);
	else if (receive_data(&r->receive, data, size, &e))
		answer_signature(r, &e);
	else
		request_flush(r);
	return size;
}

static void serve_end(struct http_exchange *x)
{
	struct request *r = http_user(x);
	struct err e;

	if (r->phase != REQUEST_BODY)
		return;
	if (r->op->body == BODY_FORM ? post_op_end(r, &e) : receive_end(&r->receive, &e)) {
		answer_signature(r, &e);
		return;
	}
	r->phase = r->step ? REQUEST_ENDED : REQUEST_RUNNING;
	if (r->phase == REQUEST_RUNNING)
		r->op->run(r);
}

static void serve_writable(struct http_exchange *x)
{
	request_send(http_user(x));
}

static void serve_done(struct http_exchange *x)
{
	struct request *r = http_user(x);

	if (r) /* else it was not even HTTP */
		request_gone(r);
}

const struct http_handler s3_handler = {
	.head = serve_head,
	.body = serve_body,
	.end = serve_end,
	.writable = serve_writable,
	.done = serve_done,
	.bad = answer_raw_fault,
};
