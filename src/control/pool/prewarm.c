#include "control/pool/prewarm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/pool/template.h"
#include "net/port_probe.h"

#define PREWARM_CONNECTS  4 /* of each port */
#define PREWARM_REFUSALS  4 /* of each port */
#define PREWARM_REQUESTS  2
#define PREWARM_STEP_MS   5000 /* one connection */
#define PREWARM_ACK_MS    30000
#define PREWARM_CHECK_MS  60
#define PREWARM_QUIET_PCT 20
#define PREWARM_QUIET_MAX 20 /* checks; a guest that is never quiet is paused as it is */

struct prewarm {
	struct machine *m;
	prewarm_done *done;
	size_t step;    /* the next one of prewarm_next */
	size_t port;    /* of this step: index into `listening` */
	bool refusable; /* this step sends what is no request */
	struct port_probe *probe;
	unsigned checks;
	int64_t check_ms;
	uint64_t check_cpu_ns;
	uint16_t request_port; /* of warm_request; 0: none */
	char request_path[CONF_TEXT];
	char *stream; /* path of stream.sock */
	uv_timer_t timer;
};

bool prewarm_find_request(const char *conf, const char *image, uint16_t *port, char *path,
			  size_t room)
{
	size_t len = strlen(image);

	for (const char *at = conf; *at; at += strcspn(at, ","), at += *at == ',') {
		char *end;
		unsigned long n;

		at += strspn(at, " ");
		if (strncmp(at, image, len) != 0 || at[len] != '=')
			continue;
		n = strtoul(at + len + 1, &end, 10);
		if (!n || n > UINT16_MAX || end[0] != ':' || end[1] != '/')
			return false;
		*port = (uint16_t)n;
		snprintf(path, room, "%.*s", (int)strcspn(end + 1, ", "), end + 1);
		return true;
	}
	return false;
}

static void prewarm_closed(uv_handle_t *handle)
{
	struct prewarm *w = handle->data;

	free(w->stream);
	free(w);
}

void prewarm_cancel(struct prewarm *w)
{
	if (w->probe)
		port_probe_cancel(w->probe);
	w->m->prewarm = NULL;
	uv_close((uv_handle_t *)&w->timer, prewarm_closed);
}

static void prewarm_end(struct machine *m, int rc, const struct err *e)
{
	struct prewarm *w = m->prewarm;

	prewarm_cancel(w);
	w->done(m, rc, e);
}

static void prewarm_paused(struct machine *m, int rc, const struct ipc_msg *answer,
			   const struct err *e)
{
	(void)answer;
	prewarm_end(m, rc, e);
}

static void prewarm_check(uv_timer_t *timer);

static void prewarm_checked(struct machine *m, int rc, const struct ipc_msg *answer,
			    const struct err *e)
{
	struct prewarm *w = m->prewarm;
	int64_t now = clock_mono_ms(), passed = now - w->check_ms;
	uint64_t used_ms = (m->cpu_ns - w->check_cpu_ns) / 1000000;
	bool quiet =
		w->checks && passed > 0 && used_ms * 100 < (uint64_t)passed * PREWARM_QUIET_PCT;

	(void)answer;
	if (rc) {
		prewarm_end(m, rc, e);
		return;
	}
	if (quiet || w->checks++ == PREWARM_QUIET_MAX) {
		machine_simple(m, MACHINE_PAUSE, prewarm_paused);
		return;
	}
	w->check_ms = now;
	w->check_cpu_ns = m->cpu_ns;
	uv_timer_start(&w->timer, prewarm_check, PREWARM_CHECK_MS, 0);
}

static void prewarm_check(uv_timer_t *timer)
{
	struct prewarm *w = timer->data;

	machine_stats(w->m, prewarm_checked);
}

static void prewarm_next(struct prewarm *w);

/* If a port does not refuse the text, the application may have seen it.  So nobody may use this
 * clone, and later clones do not get the text on this port. */
static void prewarm_not_refused(struct prewarm *w, unsigned status)
{
	struct machine *m = w->m;
	struct err e;

	template_of(m->ctl, m->version)->not_refusing[w->port] = true;
	err_set(&e, ERR_CONFLICT,
		"port %u answered %u to a text that is no request; later clones are warmed without "
		"it",
		m->version->listening[w->port], status);
	prewarm_end(m, -1, &e);
}

static void prewarm_probed(void *arg, unsigned status)
{
	struct prewarm *w = arg;

	w->probe = NULL;
	if (w->refusable && status != PORT_PROBE_UNSENT && status != 400 && status != 505)
		prewarm_not_refused(w, status);
	else
		prewarm_next(w);
}

static void prewarm_probe(struct prewarm *w, uint16_t port, const char *text)
{
	w->probe = port_probe_start(&w->m->ctl->loop,
				    &(struct port_probe_what){ .stream = w->stream,
							       .port = port,
							       .text = text,
							       .most_ms = PREWARM_STEP_MS,
							       .done = prewarm_probed,
							       .arg = w });
}

/* The steps: connections, then texts that are refused, then the operator's own request. */
static void prewarm_next(struct prewarm *w)
{
	const struct image_version *v = w->m->version;
	const struct control *ctl = w->m->ctl;
	const struct template *t = template_of(w->m->ctl, w->m->version);
	size_t connects = v->n_listening * PREWARM_CONNECTS;
	size_t refusals = ctl->conf->warm_refusals ? v->n_listening * PREWARM_REFUSALS : 0;

	w->refusable = false;
	for (; w->step < connects + refusals; w->step++) {
		w->port = w->step % v->n_listening;
		w->refusable = w->step >= connects;
		if (w->refusable && t->not_refusing[w->port])
			continue;
		w->step++;
		prewarm_probe(w, v->listening[w->port], w->refusable ? PORT_PROBE_REFUSABLE : NULL);
		return;
	}
	w->refusable = false;
	if (w->request_port && w->step < connects + refusals + PREWARM_REQUESTS) {
		autofree char *text = xasprintf("GET %s HTTP/1.1\r\nHost: localhost\r\n"
						"Connection: close\r\n\r\n",
						w->request_path);

		w->step++;
		prewarm_probe(w, w->request_port, text);
		return;
	}
	uv_timer_start(&w->timer, prewarm_check, 0, 0);
}

static void prewarm_acked(struct machine *m, int rc, const struct ipc_msg *answer,
			  const struct err *e)
{
	(void)answer;
	if (rc)
		prewarm_end(m, rc, e);
	else
		prewarm_next(m->prewarm);
}

void prewarm_start(struct machine *m, prewarm_done *done)
{
	struct prewarm *w = xcalloc(1, sizeof(*w));

	w->m = m;
	w->done = done;
	w->stream = xasprintf("%s/m/%s/stream.sock", m->ctl->conf->run_dir, m->id);
	uv_timer_init(&m->ctl->loop, &w->timer); /* cannot fail */
	w->timer.data = w;
	prewarm_find_request(m->ctl->conf->warm_request, m->version->image->name, &w->request_port,
			     w->request_path, sizeof(w->request_path));
	m->prewarm = w;
	machine_prewarm(m, PREWARM_ACK_MS, prewarm_acked);
}
