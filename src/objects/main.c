/* main.c - the role objects.  It serves as soon as it has its directory, its credentials, its
 * certificate and a listener.  New secrets replace the old ones for the connections that follow. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "conf/conf.h"
#include "conf/listen.h"
#include "net/role.h"
#include "net/tls_certificates.h"
#include "objects/artifact.h"
#include "objects/load.h"
#include "objects/request.h"

struct objects {
	struct s3 s3;
	const struct conf *conf; /* borrowed */
	struct certificates *certificates;
	struct role_link *role;
	bool started, ready, failed;
	int pending[LISTEN_ADDRESSES]; /* listeners that came before the certificate */
	size_t n_pending;
	uv_prepare_t stopping; /* checks in each turn of the loop whether all work has ended */
};

static void objects_fail(struct objects *o, const struct err *e)
{
	log_err("%s", e->text);
	o->failed = true;
	role_finish(o->role);
}

static void objects_serve(struct objects *o)
{
	struct err e;

	if (!o->started || !o->s3.tls || !o->s3.access.keys.by_id.n)
		return;
	if (!o->s3.server) {
		o->s3.server = http_server_new(o->s3.loop, o->s3.tls, &s3_handler, &o->s3);
		http_server_limit(o->s3.server, &o->conf->clients);
	}
	while (o->n_pending)
		if (http_server_listen(o->s3.server, o->pending[--o->n_pending], &e)) {
			objects_fail(o, &e);
			return;
		}
	if (!o->ready)
		role_ready(o->role);
	o->ready = true;
}

static void objects_secret(void *arg, enum secret which, const char *text, size_t size)
{
	struct objects *o = arg;
	struct creds creds;
	struct tls *tls;
	struct err e;

	if (which == SECRET_CREDENTIALS) {
		if (creds_parse(text, size, &creds, &e))
			objects_fail(o, &e);
		else
			keys_configure(&o->s3.access.keys, &creds, o->conf->account);
		explicit_bzero(&creds, sizeof(creds));
	} else if (certificates_take(o->certificates, which, text, size, &tls, &e)) {
		objects_fail(o, &e);
		return;
	} else if (tls) {
		if (o->s3.server)
			http_server_set_tls(o->s3.server, tls);
		tls_free(o->s3.tls);
		o->s3.tls = tls;
	}
	objects_serve(o);
}

static void objects_listener(void *arg, enum listener which, uint16_t port, int fd)
{
	struct objects *o = arg;

	(void)port;
	if (which != LISTENER_S3 || o->n_pending == ARRAY_SIZE(o->pending)) {
		close(fd);
		return;
	}
	o->pending[o->n_pending++] = fd;
	objects_serve(o);
}

static size_t objects_buckets(struct access *a, const char *account)
{
	return store_count(&container_of(a, struct objects, s3.access)->s3.store, account);
}

static void objects_peer(void *arg, enum role which, unsigned worker, int fd)
{
	struct objects *o = arg;
	struct err e;

	(void)worker;
	if (which == ROLE_CONTROL) {
		if (access_serve(&o->s3.access, o->s3.loop, fd, &e))
			log_err("%s", e.text);
	} else if (which != ROLE_IMAGE)
		close(fd);
	else if (artifact_serve(o->s3.loop, fd, &o->s3.store, &e))
		log_err("%s", e.text);
}

static void objects_start(void *arg, uint16_t endpoint_port, unsigned workers)
{
	struct objects *o = arg;

	(void)endpoint_port, (void)workers;
	o->started = true;
	objects_serve(o);
	if (!o->ready)
		log_err("the S3 endpoint got no certificate or no credentials");
}

static void objects_settle(uv_prepare_t *stopping)
{
	struct objects *o = container_of(stopping, struct objects, stopping);

	if (o->s3.requests || !store_idle(&o->s3.store))
		return;
	uv_prepare_stop(stopping);
	role_finish(o->role);
}

/* Clients are cut off.  The role ends when the work on the disk has ended. */
static void objects_stop(void *arg, bool keep_machines)
{
	struct objects *o = arg;

	(void)keep_machines;
	http_server_free(o->s3.server);
	o->s3.server = NULL;
	o->started = false;
	uv_prepare_init(o->s3.loop, &o->stopping);
	uv_prepare_start(&o->stopping, objects_settle);
}

static const struct role_events objects_events = {
	.secret = objects_secret,
	.listener = objects_listener,
	.peer = objects_peer,
	.start = objects_start,
	.stop = objects_stop,
};

static int objects_open(struct objects *o, const struct conf *conf, struct err *e)
{
	autoclose int data = open(conf->data_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int dir = data < 0 ? -1 : io_open_below(data, "objects", O_RDONLY | O_DIRECTORY, 0);

	if (data < 0)
		return err_sys(e, "open '%s'", conf->data_dir);
	if (dir < 0)
		return err_set(e, ERR_INTERNAL, "open '%s/objects': %s", conf->data_dir,
			       strerror(-dir));
	snprintf(o->s3.region, sizeof(o->s3.region), "%s", conf->region);
	snprintf(o->s3.api_name, sizeof(o->s3.api_name), "%s", conf->api_name);
	store_open(&o->s3.store, o->s3.loop, dir);
	snprintf(o->s3.store.owner, sizeof(o->s3.store.owner), "%s", conf->account);
	return load_store(&o->s3.store, e);
}

int objects_main(const struct conf *conf, int super_fd)
{
	static const char *const alpn[] = { "http/1.1", NULL };
	static struct objects o;
	struct err e;
	int code;

	disk_pool_size(store_threads());
	json_object_seed(0); /* while there is one thread: it is not safe with more */
	o.conf = conf;
	o.certificates = certificates_new(SECRET_TLS_S3, alpn, NULL);
	keys_init(&o.s3.access.keys);
	o.s3.access.buckets = objects_buckets;
	o.s3.loop = uv_default_loop();
	if (objects_open(&o, conf, &e)) {
		log_err("%s", e.text);
		return 1;
	}
	o.role = role_open(o.s3.loop, super_fd, &objects_events, &o, &e);
	if (!o.role) {
		log_err("%s", e.text);
		return 1;
	}
	code = role_run(o.role);
	return o.failed ? 1 : code;
}
