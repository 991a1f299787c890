#include "control/pool/prewarm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/pool/template.h"
#include "net/knock.h"

#define WARM_CONNECTS   4 /* of each port */
#define WARM_REFUSALS   4 /* of each port */
#define WARM_REQUESTS   2
#define WARM_STEP_MS    5000 /* one connection */
#define WARM_ACK_MS     30000
#define WARM_LOOK_MS    60
#define WARM_QUIET_PCT  20
#define WARM_QUIET_MOST 20 /* looks; a guest that is never quiet is paused as it is */

struct warm {
	struct machine *m;
	warm_done *done;
	size_t step; /* the next one of warm_what */
	size_t port; /* of this step: index into `listening` */
	bool refusable;
	struct knocking *knocking;
	unsigned looks;
	int64_t look_ms;
	uint64_t look_cpu_ns;
	uint16_t request_port; /* of warm_request; 0: none */
	char request_path[CONF_TEXT];
	char *stream; /* path of stream.sock */
	uv_timer_t timer;
};

bool warm_find_request(const char *conf, const char *image, uint16_t *port, char *path, size_t room)
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

static void warm_closed(uv_handle_t *handle)
{
	struct warm *w = handle->data;

	free(w->stream);
	free(w);
}

void warm_cancel(struct warm *w)
{
	if (w->knocking)
		knock_cancel(w->knocking);
	w->m->warm = NULL;
	uv_close((uv_handle_t *)&w->timer, warm_closed);
}

static void warm_end(struct machine *m, int rc, const struct err *e)
{
	struct warm *w = m->warm;

	warm_cancel(w);
	w->done(m, rc, e);
}

static void warm_paused(struct machine *m, int rc, const struct ipc_msg *answer,
			const struct err *e)
{
	(void)answer;
	warm_end(m, rc, e);
}

static void warm_look(uv_timer_t *timer);

static void warm_looked(struct machine *m, int rc, const struct ipc_msg *answer,
			const struct err *e)
{
	struct warm *w = m->warm;
	int64_t now = clock_mono_ms(), passed = now - w->look_ms;
	uint64_t used_ms = (m->cpu_ns - w->look_cpu_ns) / 1000000;
	bool quiet = w->looks && passed > 0 && used_ms * 100 < (uint64_t)passed * WARM_QUIET_PCT;

	(void)answer;
	if (rc) {
		warm_end(m, rc, e);
		return;
	}
	if (quiet || w->looks++ == WARM_QUIET_MOST) {
		machine_simple(m, MACHINE_PAUSE, warm_paused);
		return;
	}
	w->look_ms = now;
	w->look_cpu_ns = m->cpu_ns;
	uv_timer_start(&w->timer, warm_look, WARM_LOOK_MS, 0);
}

static void warm_look(uv_timer_t *timer)
{
	struct warm *w = timer->data;

	machine_stats(w->m, warm_looked);
}

static void warm_next(struct warm *w);

/* A port that does not refuse it has taken it for something: nobody may use this clone any more,
 * and the next ones are not asked. */
static void warm_not_refused(struct warm *w, unsigned status)
{
	struct machine *m = w->m;
	struct err e;

	template_of(m->ctl, m->version)->not_refusing[w->port] = true;
	err_set(&e, ERR_CONFLICT,
		"port %u answered %u to what is no request; later clones are warmed without",
		m->version->listening[w->port], status);
	warm_end(m, -1, &e);
}

static void warm_knocked(void *arg, unsigned status)
{
	struct warm *w = arg;

	w->knocking = NULL;
	if (w->refusable && status != KNOCK_UNSAID && status != 400 && status != 505)
		warm_not_refused(w, status);
	else
		warm_next(w);
}

static void warm_knock(struct warm *w, uint16_t port, const char *text)
{
	w->knocking = knock_start(&w->m->ctl->loop, &(struct knock){ .stream = w->stream,
								     .port = port,
								     .text = text,
								     .most_ms = WARM_STEP_MS,
								     .done = warm_knocked,
								     .arg = w });
}

/* First connections, then what is refused, then the operator's own request. */
static void warm_next(struct warm *w)
{
	const struct image_version *v = w->m->version;
	const struct control *ctl = w->m->ctl;
	const struct template *t = template_of(w->m->ctl, w->m->version);
	size_t connects = v->n_listening * WARM_CONNECTS;
	size_t refusals = ctl->conf->warm_refusals ? v->n_listening * WARM_REFUSALS : 0;

	w->refusable = false;
	for (; w->step < connects + refusals; w->step++) {
		w->port = w->step % v->n_listening;
		w->refusable = w->step >= connects;
		if (w->refusable && t->not_refusing[w->port])
			continue;
		w->step++;
		warm_knock(w, v->listening[w->port], w->refusable ? KNOCK_REFUSABLE : NULL);
		return;
	}
	w->refusable = false;
	if (w->request_port && w->step < connects + refusals + WARM_REQUESTS) {
		autofree char *text = xasprintf("GET %s HTTP/1.1\r\nHost: localhost\r\n"
						"Connection: close\r\n\r\n",
						w->request_path);

		w->step++;
		warm_knock(w, w->request_port, text);
		return;
	}
	uv_timer_start(&w->timer, warm_look, 0, 0);
}

static void warm_acked(struct machine *m, int rc, const struct ipc_msg *answer, const struct err *e)
{
	(void)answer;
	if (rc)
		warm_end(m, rc, e);
	else
		warm_next(m->warm);
}

void warm_start(struct machine *m, warm_done *done)
{
	struct warm *w = xcalloc(1, sizeof(*w));

	w->m = m;
	w->done = done;
	w->stream = xasprintf("%s/m/%s/stream.sock", m->ctl->conf->run_dir, m->id);
	uv_timer_init(&m->ctl->loop, &w->timer); /* cannot fail */
	w->timer.data = w;
	warm_find_request(m->ctl->conf->warm_request, m->version->image->name, &w->request_port,
			  w->request_path, sizeof(w->request_path));
	m->warm = w;
	machine_warm(m, WARM_ACK_MS, warm_acked);
}
