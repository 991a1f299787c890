/* main.c - the control role: what is opened in which order, and how it ends. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/host.h"
#include "base/io.h"
#include "base/log.h"
#include "conf/listen.h"
#include "control/admission/admission.h"
#include "control/api/api.h"
#include "control/api/metrics.h"
#include "control/channels/builder.h"
#include "control/channels/grants.h"
#include "control/channels/priv.h"
#include "control/channels/roles.h"
#include "control/channels/workers.h"
#include "control/connectors/connectors.h"
#include "control/events/events.h"
#include "control/ground.h"
#include "control/images/images.h"
#include "control/kms/kms.h"
#include "control/logs/retention.h"
#include "control/machine/machine.h"
#include "control/microvm/adopt.h"
#include "control/microvm/drain.h"
#include "control/microvm/expiry.h"
#include "control/microvm/publish.h"
#include "control/microvm/traffic.h"
#include "control/model/sealing.h"
#include "control/pool/pool.h"
#include "control/storage/gc.h"
#include "control/storage/lanes.h"
#include "ipc/access.h"
#include "ipc/build.h"
#include "ipc/priv.h"
#include "net/role.h"

#define CONTROL_END_CHECK_MS  50
#define CONTROL_END_FAILED_MS 1500  /* so that `doze down` hears what could not be suspended */
#define CONTROL_END_MAX_MS    20000 /* for machines to be cleared after a drain */

struct control_role {
	struct control ctl;
	struct role_link *link;
	uv_poll_t store_poll;
	uv_timer_t end;
	uint64_t end_ms, drained_bytes;
	unsigned kept; /* machines that run on behind the end */
	bool adopting, failed;
	struct {
		int fd;
		uint16_t port;
	} listeners[LISTEN_ADDRESSES]; /* they wait until there is something true to say */
	size_t n_listeners;
};

static const struct role_channel control_channels[ROLE_NUM] = {
	[ROLE_PRIV] = { offsetof(struct control, priv), priv_rows, PRIV_NUM_TYPES, priv_on_message,
			priv_on_up },
	[ROLE_IMAGE] = { offsetof(struct control, image_role), build_rows, BUILD_NUM_TYPES,
			 builder_on_message, builder_on_up },
	[ROLE_OBJECTS] = { offsetof(struct control, objects), access_rows, ACCESS_NUM_TYPES,
			   grants_on_message, grants_on_up },
};

static const struct admission_ops control_admission_ops = { pool_evict, pool_wake };

static int control_open(struct control_role *r, struct err *e)
{
	struct control *ctl = &r->ctl;

	model_init(ctl);
	kms_open(ctl);
	lanes_open(ctl);
	gc_open(ctl);
	list_init(&ctl->grants_asks);
	priv_open(ctl, machine_gone);
	routes_open(ctl, &microvm_routes_ops);
	role_channels_init(ctl, control_channels);
	workers_init(ctl, &routes_workers);
	if (ground_open_dirs(ctl, e) || host_boot_id(ctl->boot_id, e) ||
	    ground_open_store(ctl, &r->store_poll, e) || api_open(ctl, e) ||
	    model_load(ctl, api_load_token, e) || machines_open(ctl, e) || events_open(ctl, e) ||
	    admission_open(ctl, &control_admission_ops, e) || pool_open(ctl, e) ||
	    retention_open(ctl, e) || expiry_open(ctl, e) || publish_open(ctl, e))
		return -1;
	images_open(ctl);
	connectors_open(ctl);
	return 0;
}

static void control_fail(struct control_role *r, const struct err *e)
{
	log_err("%s", e->text);
	r->failed = true;
	role_finish(r->link);
}

static int control_credentials(struct control *ctl, const char *text, size_t size, struct err *e)
{
	struct creds creds;
	int rc = creds_parse(text, size, &creds, e);

	if (!rc)
		keys_configure(&ctl->keys, &creds, ctl->conf->account);
	explicit_bzero(&creds, sizeof(creds));
	return rc;
}

static int control_set_signer(struct control *ctl, const char *text, size_t size, struct err *e)
{
	struct certificate_authority *a = certificate_authority_new(text, size, e);

	if (!a)
		return -1;
	certificate_authority_free(ctl->client_signer);
	ctl->client_signer = a;
	return 0;
}

static int control_take_keys(struct control *ctl, const char *text, size_t size, struct err *e)
{
	if (kms_take_secret(ctl, text, size, e))
		return -1;
	sealing_report(ctl);
	return 0;
}

static void on_secret(void *arg, enum secret which, const char *text, size_t size)
{
	struct control_role *r = arg;
	struct control *ctl = &r->ctl;
	struct err e;
	int rc = 0;

	if (which == SECRET_TLS_API || which == SECRET_API_CERTIFICATES)
		rc = api_set_certificates(ctl, which, text, size, &e);
	else if (which == SECRET_TOKEN_KEYS)
		rc = token_keys_parse(text, size, &ctl->token_keys, &e);
	else if (which == SECRET_CREDENTIALS)
		rc = control_credentials(ctl, text, size, &e);
	else if (which == SECRET_CLIENT_SIGNER)
		rc = control_set_signer(ctl, text, size, &e);
	else if (which == SECRET_CA_CERT)
		api_set_ca(ctl, text, size);
	else if (which == SECRET_KMS)
		rc = control_take_keys(ctl, text, size, &e);
	if (rc)
		control_fail(r, &e);
}

static void control_listen(struct control_role *r)
{
	struct err e;

	for (; r->n_listeners; r->n_listeners--)
		if (api_listen(&r->ctl, r->listeners[r->n_listeners - 1].fd,
			       r->listeners[r->n_listeners - 1].port, &e))
			control_fail(r, &e);
}

static void on_listener(void *arg, enum listener which, uint16_t port, int fd)
{
	struct control_role *r = arg;

	struct err e;

	if (which == LISTENER_METRICS) {
		if (metrics_listen(&r->ctl, fd, &e))
			log_err("%s", e.text);
		else
			log_info("serving metrics port=%u", port);
		return;
	}
	if (which != LISTENER_API || r->n_listeners == ARRAY_SIZE(r->listeners)) {
		fd_close(&fd);
		return;
	}
	r->listeners[r->n_listeners].fd = fd;
	r->listeners[r->n_listeners++].port = port;
	if (r->ctl.adopted)
		control_listen(r);
}

static void control_adopted(struct control *ctl);

static void on_peer(void *arg, enum role which, unsigned worker, int fd)
{
	struct control_role *r = arg;

	if (which == ROLE_PROXY ? workers_set(&r->ctl, worker, fd)
				: role_channels_set(&r->ctl, which, fd)) {
		fd_close(&fd);
		return;
	}
	if (which == ROLE_PRIV && !r->adopting) {
		r->adopting = true;
		adopt_start(&r->ctl, control_adopted);
	}
}

static void on_start(void *arg, uint16_t endpoint_port, unsigned workers)
{
	struct control_role *r = arg;
	const struct conf *conf = r->ctl.conf;
	char port[16] = "";

	(void)workers;
	if (endpoint_port && endpoint_port != 443)
		snprintf(port, sizeof(port), ":%u", endpoint_port);
	snprintf(r->ctl.endpoint_suffix, sizeof(r->ctl.endpoint_suffix),
		 ".lambda-microvm.%s.%.64s%s", conf->region, conf->domain, port);
}

static void control_finish(struct control_role *r)
{
	struct control *ctl = &r->ctl;

	ctl->stopping = true;
	api_close(ctl);
	metrics_close(ctl);
	expiry_close(ctl);
	retention_close(ctl);
	pool_close(ctl);
	admission_close(ctl);
	machines_close(ctl);
	gc_close(ctl);
	role_channels_close(ctl);
	workers_close(ctl);
	certificate_authority_free(ctl->client_signer);
	role_finish(r->link);
}

static void control_end_check(uv_timer_t *timer)
{
	struct control *ctl = timer->loop->data;
	struct control_role *r = container_of(ctl, struct control_role, ctl);

	uint64_t waited_ms = uv_now(&ctl->loop) - r->end_ms;

	if (machines_count(ctl) > r->kept && waited_ms < CONTROL_END_MAX_MS)
		return;
	if (r->kept && waited_ms < CONTROL_END_FAILED_MS)
		return;
	uv_timer_stop(timer);
	control_finish(r);
}

/* What could not be saved runs on; the supervisor says so to those who wait for the end. */
static void control_drained(void *arg, unsigned suspended, unsigned failed)
{
	struct control_role *r = arg;

	log_info("drained suspended=%u failed=%u", suspended, failed);
	r->failed |= failed > 0;
	r->kept = failed;
	r->end_ms = uv_now(&r->ctl.loop);
	uv_timer_start(&r->end, control_end_check, 0, CONTROL_END_CHECK_MS);
}

/* The supervisor waits as long as it hears that something moves. */
static void control_check_progress(uv_timer_t *timer)
{
	struct control *ctl = timer->loop->data;
	struct control_role *r = container_of(ctl, struct control_role, ctl);
	uint64_t bytes = drain_bytes(ctl);

	if (bytes == r->drained_bytes)
		return;
	r->drained_bytes = bytes;
	role_progress(r->link);
}

/* Everything that runs is suspended, then control ends.  Before it is known what runs,
 * control_adopted comes here: priv would end what nobody had suspended. */
static void control_drain_and_end(struct control_role *r)
{
	uv_timer_init(&r->ctl.loop, &r->end);
	uv_timer_start(&r->end, control_check_progress, CONTROL_END_CHECK_MS, CONTROL_END_CHECK_MS);
	drain_start(&r->ctl, control_drained, r);
}

static void control_adopted(struct control *ctl)
{
	struct control_role *r = container_of(ctl, struct control_role, ctl);

	if (ctl->ending) {
		control_drain_and_end(r);
		return;
	}
	control_listen(r);
	role_ready(r->link);
	pool_wake(ctl);
}

static void on_stop(void *arg, bool keep_machines)
{
	struct control_role *r = arg;

	if (keep_machines) {
		control_finish(r);
		return;
	}
	if (r->ctl.ending)
		return; /* the drain of an earlier stop goes on */
	r->ctl.ending = r->ctl.draining = true;
	if (r->ctl.adopted)
		control_drain_and_end(r);
}

int control_main(const struct conf *conf, int super_fd)
{
	static const struct role_events events = {
		.secret = on_secret,
		.listener = on_listener,
		.peer = on_peer,
		.start = on_start,
		.stop = on_stop,
	};
	struct control_role *r = xcalloc(1, sizeof(*r));
	struct err e;
	int rc;

	r->ctl.conf = conf;
	keys_init(&r->ctl.keys);
	if (uv_loop_init(&r->ctl.loop))
		abort();
	r->ctl.loop.data = &r->ctl;
	r->link = role_open(&r->ctl.loop, super_fd, &events, r, &e);
	if (!r->link || control_open(r, &e)) {
		log_err("%s", e.text);
		return 1;
	}
	rc = role_run(r->link);
	store_close(r->ctl.store); /* what is queued is written */
	grants_close(&r->ctl);
	events_close(&r->ctl); /* what these have changed is told */
	images_close(&r->ctl);
	connectors_close(&r->ctl);
	publish_close(&r->ctl);
	api_free(&r->ctl);
	model_close(&r->ctl);
	kms_close(&r->ctl);
	keys_free(&r->ctl.keys);
	return r->failed ? 1 : rc;
}
