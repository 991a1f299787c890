#include "control/api/metrics.h"

#include <stdio.h>
#include <string.h>

#include "control/channels/workers.h"
#include "control/model/model.h"
#include "net/http.h"

/* The numbers of a meter that are one series each. */
static const struct {
	const char *name, *help;
	size_t at;
} metrics_numbers[] = {
	{ "received_bytes_total", "bytes of bodies and upgraded connections from clients",
	  offsetof(struct meter, in) },
	{ "sent_bytes_total", "bytes of bodies and upgraded connections to clients",
	  offsetof(struct meter, out) },
	{ "held_total", "requests that waited for their microVM or for their turn at its port",
	  offsetof(struct meter, held) },
	{ "wakes_total", "requests that waited for their microVM", offsetof(struct meter, wakes) },
	{ "cut_total", "answers that had begun and were cut off", offsetof(struct meter, cut) },
};

static const struct {
	const char *name, *help;
	size_t buckets, sum_ms;
} metrics_spans[] = {
	{ "hold_seconds", "how long a request waited", offsetof(struct meter, hold),
	  offsetof(struct meter, hold_ms) },
	{ "first_byte_seconds", "from a request's head to its answer's",
	  offsetof(struct meter, first), offsetof(struct meter, first_ms) },
};

static const char *const metrics_classes[METER_CLASSES] = { "none", "1xx", "2xx",
							    "3xx",  "4xx", "5xx" };

static const uint64_t *metrics_at(const struct meter *m, size_t offset)
{
	return (const void *)((const char *)m + offset);
}

static void metrics_type(struct buf *to, const char *prefix, const char *name, const char *type,
			 const char *help)
{
	buf_addf(to, "# HELP doze_%s%s %s\n# TYPE doze_%s%s %s\n", prefix, name, help, prefix, name,
		 type);
}

static void metrics_row(struct buf *to, const char *prefix, const char *name, const char *labels,
			uint64_t value)
{
	buf_addf(to, "doze_%s%s%s%s%s %llu\n", prefix, name, *labels ? "{" : "", labels,
		 *labels ? "}" : "", (unsigned long long)value);
}

/* Calls @put for the meter of each microVM that has not ended, or once for that of all. */
static void metrics_each(const struct control *ctl, bool microvms, struct buf *to, size_t which,
			 void (*put)(struct buf *to, const char *prefix, const char *label,
				     const struct meter *m, size_t which))
{
	static const struct meter no_requests;
	char label[IPC_ID_SIZE + 16];

	if (!microvms) {
		put(to, "", "", &ctl->requests, which);
		return;
	}
	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		if (vm->state == VM_TERMINATED)
			continue;
		snprintf(label, sizeof(label), "microvm=\"%s\"", vm->id);
		put(to, "microvm_", label, vm->meter ? vm->meter : &no_requests, which);
	}
}

static void metrics_put_requests(struct buf *to, const char *prefix, const char *label,
				 const struct meter *m, size_t which)
{
	char labels[IPC_ID_SIZE + 64];

	(void)which;
	for (size_t i = 0; i < METER_CLASSES; i++) {
		if (*label && !m->requests[i])
			continue; /* a microVM has what it has met */
		snprintf(labels, sizeof(labels), "%s%sclass=\"%s\"", label, *label ? "," : "",
			 metrics_classes[i]);
		metrics_row(to, prefix, "requests_total", labels, m->requests[i]);
	}
}

static void metrics_put_refusals(struct buf *to, const char *prefix, const char *label,
				 const struct meter *m, size_t which)
{
	char labels[IPC_ID_SIZE + 64];

	(void)which;
	for (size_t i = 0; i < REFUSAL_NUM; i++) {
		if (*label && !m->refusals[i])
			continue;
		snprintf(labels, sizeof(labels), "%s%sreason=\"%s\"", label, *label ? "," : "",
			 refusal_name((enum refusal)i));
		metrics_row(to, prefix, "refusals_total", labels, m->refusals[i]);
	}
}

static void metrics_put_number(struct buf *to, const char *prefix, const char *label,
			       const struct meter *m, size_t which)
{
	metrics_row(to, prefix, metrics_numbers[which].name, label,
		    *metrics_at(m, metrics_numbers[which].at));
}

static void metrics_put_counts(const struct control *ctl, bool microvms, struct buf *to)
{
	const char *prefix = microvms ? "microvm_" : "";

	metrics_type(to, prefix, "requests_total", "counter",
		     "requests by the class of their answer");
	metrics_each(ctl, microvms, to, 0, metrics_put_requests);
	metrics_type(to, prefix, "refusals_total", "counter",
		     "requests, and clients of published ports, that doze refused, by reason");
	metrics_each(ctl, microvms, to, 0, metrics_put_refusals);
	for (size_t i = 0; i < ARRAY_SIZE(metrics_numbers); i++) {
		metrics_type(to, prefix, metrics_numbers[i].name, "counter",
			     metrics_numbers[i].help);
		metrics_each(ctl, microvms, to, i, metrics_put_number);
	}
}

static void metrics_put_span(const struct meter *m, size_t which, struct buf *to)
{
	const char *name = metrics_spans[which].name;
	const uint64_t *n = metrics_at(m, metrics_spans[which].buckets);
	uint64_t sum_ms = *metrics_at(m, metrics_spans[which].sum_ms), all = 0;

	metrics_type(to, "", name, "histogram", metrics_spans[which].help);
	for (size_t i = 0; i < METER_BUCKETS; i++) {
		all += n[i];
		if (meter_bounds[i])
			buf_addf(to, "doze_%s_bucket{le=\"%g\"} %llu\n", name,
				 meter_bounds[i] / 1000.0, (unsigned long long)all);
	}
	buf_addf(to, "doze_%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)all);
	buf_addf(to, "doze_%s_sum %.3f\ndoze_%s_count %llu\n", name, (double)sum_ms / 1000.0, name,
		 (unsigned long long)all);
}

static void metrics_put_now(const struct control *ctl, struct buf *to)
{
	struct meter_now all = { 0 };
	uint64_t workers = 0, states[VM_NUM_STATES] = { 0 };

	list_each(w, &ctl->workers, struct worker, in_control)
	{
		all.connections += w->now.connections;
		all.held += w->now.held;
		all.running += w->now.running;
		workers++;
	}
	metrics_type(to, "", "connections", "gauge", "HTTP connections of clients to endpoints");
	metrics_row(to, "", "connections", "", all.connections);
	metrics_type(to, "", "held", "gauge", "requests that wait now");
	metrics_row(to, "", "held", "", all.held);
	metrics_type(to, "", "running", "gauge", "requests and upgraded connections in microVMs");
	metrics_row(to, "", "running", "", all.running);
	metrics_type(to, "", "workers", "gauge", "processes that serve endpoints");
	metrics_row(to, "", "workers", "", workers);
	list_each(vm, &ctl->microvms, struct microvm, in_control) states[vm->state]++;
	metrics_type(to, "", "microvms", "gauge", "microVMs by state");
	for (size_t i = 0; i < VM_NUM_STATES; i++) {
		char label[32];

		snprintf(label, sizeof(label), "state=\"%s\"", vm_state_name[i]);
		metrics_row(to, "", "microvms", label, states[i]);
	}
}

void metrics_put(const struct control *ctl, struct buf *to)
{
	metrics_put_now(ctl, to);
	metrics_put_counts(ctl, false, to);
	for (size_t i = 0; i < ARRAY_SIZE(metrics_spans); i++)
		metrics_put_span(&ctl->requests, i, to);
	metrics_put_counts(ctl, true, to);
}

/* A page of the web that its reader's browser has must not read this by a name of its own. */
static bool metrics_is_local(const char *host)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };

	for (size_t i = 0; host && i < ARRAY_SIZE(names); i++) {
		size_t n = strlen(names[i]);

		if (!strncmp(host, names[i], n) && (!host[n] || host[n] == ':'))
			return true;
	}
	return false;
}

static void metrics_head(struct http_exchange *x)
{
	static const struct http_header type[] = { { "content-type",
						     "text/plain; version=0.0.4" } };
	const struct http_head *head = http_request(x);
	size_t path = strcspn(head->target, "?");
	autobuf struct buf text = { 0 };
	unsigned status = 200;

	if (path != strlen("/metrics") || strncmp(head->target, "/metrics", path) != 0)
		status = 404;
	else if (strcmp(head->method, "GET") != 0 && strcmp(head->method, "HEAD") != 0)
		status = 405;
	else if (!metrics_is_local(head->host))
		status = 403;
	else
		metrics_put(http_server_arg(x), &text);
	http_answer(x, status, type, ARRAY_SIZE(type), text.data, text.size);
}

static size_t metrics_body(struct http_exchange *x, const uint8_t *data, size_t size)
{
	(void)x, (void)data;
	return size;
}

static void metrics_nothing(struct http_exchange *x)
{
	(void)x;
}

static const struct http_handler metrics_handler = {
	.head = metrics_head,
	.body = metrics_body,
	.end = metrics_nothing,
	.writable = metrics_nothing,
	.done = metrics_nothing,
};

int metrics_listen(struct control *ctl, int fd, struct err *e)
{
	if (!ctl->metrics)
		ctl->metrics = http_server_new(&ctl->loop, NULL, &metrics_handler, ctl);
	return http_server_listen(ctl->metrics, fd, e);
}

void metrics_close(struct control *ctl)
{
	http_server_free(ctl->metrics);
	ctl->metrics = NULL;
}
