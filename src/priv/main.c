/* main.c - the priv role: which role may send which request, and the start and the end of priv
 * itself. */

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "priv/build.h"
#include "priv/credentials.h"
#include "priv/mproc.h"
#include "priv/recover.h"

#define PRIV_STOP_MS 5

#define OWNS(role) (1U << (role))

/* clang-format off */
static const struct {
	void (*handle)(struct priv *p, const struct request *a, struct ipc_msg *m);
	unsigned owners; /* the roles that may send it */
} priv_requests[PRIV_NUM_TYPES] = {
	[PRIV_MACHINE_START] = { mproc_start, OWNS(PRIV_OWNER_CONTROL) | OWNS(PRIV_OWNER_IMAGE) },
	[PRIV_MACHINE_END]   = { mproc_end,   OWNS(PRIV_OWNER_CONTROL) | OWNS(PRIV_OWNER_IMAGE) },
	[PRIV_MACHINE_LIST]  = { mproc_list,  OWNS(PRIV_OWNER_CONTROL) | OWNS(PRIV_OWNER_IMAGE) },
	[PRIV_BUILD_START]   = { build_start,   OWNS(PRIV_OWNER_IMAGE) },
	[PRIV_BUILD_END]     = { build_end,     OWNS(PRIV_OWNER_IMAGE) },
	[PRIV_MACHINE_API]   = { mproc_open_api, OWNS(PRIV_OWNER_CONTROL) },
	[PRIV_CREDENTIALS]   = { credentials_start, OWNS(PRIV_OWNER_CONTROL) },
};
/* clang-format on */

static const struct {
	enum role role;
	enum priv_owner_role owner;
} priv_peer_roles[] = {
	{ ROLE_CONTROL, PRIV_OWNER_CONTROL },
	{ ROLE_IMAGE, PRIV_OWNER_IMAGE },
};

static void peer_close(struct peer *peer)
{
	struct priv *p = peer->priv;

	if (peer->chan.sock < 0)
		return;
	loop_unwatch(p->loop, &peer->watch);
	chan_close(&peer->chan);
	peer->generation++;
	mprocs_orphaned(p, (enum priv_owner_role)(peer - p->peers));
	if (peer == &p->peers[PRIV_OWNER_IMAGE])
		builds_end_all(p); /* the next image role starts its builds again */
}

static bool peer_send(struct peer *peer, uint32_t type, uint64_t tag, const void *body, size_t size)
{
	int rc = chan_send(&peer->chan, type, tag, body, size, NULL, 0);

	if (!rc && chan_wants_write(&peer->chan))
		loop_rewatch(peer->priv->loop, &peer->watch, EPOLLIN | EPOLLOUT);
	return !rc; /* a broken connection shows as its end when it is read */
}

void priv_answer(struct priv *p, const struct request *a, uint32_t type, const void *body,
		 size_t size)
{
	struct peer *peer = &p->peers[a->role];

	if (peer->generation == a->generation)
		(void)!peer_send(peer, type, a->tag, body, size);
}

void priv_done(struct priv *p, const struct request *a)
{
	priv_answer(p, a, PRIV_DONE, &(struct priv_done){ 0 }, sizeof(struct priv_done));
}

void priv_refuse(struct priv *p, const struct request *a, const struct err *e)
{
	struct priv_fault fault = { .kind = e->kind };

	snprintf(fault.text, sizeof(fault.text), "%.*s", IPC_TEXT_SIZE - 1, e->text);
	priv_answer(p, a, PRIV_FAULT, &fault, sizeof(fault));
}

bool priv_notify(struct priv *p, enum priv_owner_role role, uint32_t type, const void *body,
		 size_t size)
{
	return peer_send(&p->peers[role], type, 0, body, size);
}

static int peer_handle(struct peer *peer, struct ipc_msg *m)
{
	struct request request = { .role = (enum priv_owner_role)(peer - peer->priv->peers),
				   .generation = peer->generation,
				   .tag = m->head.tag };
	uint32_t type = m->head.type;

	if (!priv_requests[type].handle || !(priv_requests[type].owners & OWNS(request.role)))
		return -EBADMSG;
	priv_requests[type].handle(peer->priv, &request, m);
	ipc_msg_close(m);
	return 0;
}

static void peer_ready(struct watch *w, uint32_t events)
{
	struct peer *peer = container_of(w, struct peer, watch);
	static struct ipc_msg m;
	int rc = (events & EPOLLOUT) ? chan_flush(&peer->chan) : 0;

	if (!rc && !chan_wants_write(&peer->chan))
		loop_rewatch(peer->priv->loop, w, EPOLLIN);
	if (!rc && events & ~(uint32_t)EPOLLOUT) {
		rc = ipc_recv(peer->chan.sock, &m, priv_rows, PRIV_NUM_TYPES);
		rc = rc == 1 ? peer_handle(peer, &m) : rc == 0 ? -EPIPE : rc == -EAGAIN ? 0 : rc;
	}
	if (!rc)
		return;
	ipc_msg_close(&m);
	if (rc != -EPIPE)
		log_warn("a connection is closed peer=%s: %s",
			 peer->priv->owners[peer - peer->priv->peers].name, strerror(-rc));
	peer_close(peer);
}

static void peer_open(struct priv *p, uint32_t role, int sock)
{
	for (size_t i = 0; i < ARRAY_SIZE(priv_peer_roles); i++) {
		struct peer *peer = &p->peers[priv_peer_roles[i].owner];
		struct err e;

		if (priv_peer_roles[i].role != role)
			continue;
		peer_close(peer);
		if (io_nonblock(sock) ||
		    loop_watch(p->loop, &peer->watch, sock, EPOLLIN, peer_ready, &e))
			break;
		chan_init(&peer->chan, sock, priv_rows, PRIV_NUM_TYPES);
		return;
	}
	fd_close(&sock);
}

/* Waits until everything that is being made or ended has finished, so that the clearing misses
 * nothing. */
static void priv_check_stop(struct timer *t)
{
	struct priv *p = container_of(t, struct priv, stop_timer);
	bool busy = !p->keep && (!list_empty(&p->machines) || p->slots.n_making);

	if (busy || !list_empty(&p->builds))
		loop_timer(p->loop, t, PRIV_STOP_MS, priv_check_stop);
	else
		loop_stop(p->loop);
}

static void priv_stop(struct priv *p, bool keep)
{
	p->stopping = true;
	p->keep = keep;
	slots_stop(&p->slots);
	builds_end_all(p);
	if (!keep && !list_empty(&p->machines)) {
		log_warn("machines are still running and are ended");
		mprocs_end_all(p);
	}
	loop_timer(p->loop, &p->stop_timer, 0, priv_check_stop);
}

static void super_handle(struct priv *p, struct ipc_msg *m)
{
	struct super_which which;
	struct super_which zero = { 0 };

	memcpy(&which, m->body, sizeof(which));
	if (m->head.type == SUPER_PEER)
		peer_open(p, which.which, ipc_msg_take_fd(m, 0));
	else if (m->head.type == SUPER_STOP)
		priv_stop(p, which.which != 0);
	else if (m->head.type == SUPER_START &&
		 chan_send(&p->super, SUPER_READY, 0, &zero, sizeof(zero), NULL, 0))
		log_err("the supervisor does not read our messages");
	ipc_msg_close(m);
}

/* Without its supervisor the role ends as if it had crashed, and machines run on. */
static void super_ready(struct watch *w, uint32_t events)
{
	struct priv *p = container_of(w, struct priv, super_watch);
	static struct ipc_msg m;
	int rc = ipc_recv(p->super.sock, &m, super_rows, SUPER_NUM_TYPES);

	(void)events;
	if (rc == 1) {
		super_handle(p, &m);
	} else if (rc != -EAGAIN) {
		log_err("the supervisor is gone");
		p->stopping = p->keep = true;
		loop_stop(p->loop);
	}
}

static int priv_user(const struct conf *conf, const char *role, uid_t *uid, gid_t *gid,
		     struct err *e)
{
	autofree char *name = xasprintf("%s-%s", conf->users_prefix, role);
	const struct passwd *user = getpwnam(name);

	if (!user)
		return err_set(e, ERR_NOT_FOUND, "there is no user '%s': install doze first", name);
	if (uid)
		*uid = user->pw_uid;
	*gid = user->pw_gid;
	return 0;
}

static int priv_users(struct priv *p, struct err *e)
{
	p->owners[PRIV_OWNER_CONTROL].name = "control";
	p->owners[PRIV_OWNER_IMAGE].name = "image";
	for (size_t i = 0; i < PRIV_NUM_OWNERS; i++)
		if (priv_user(p->conf, p->owners[i].name, &p->owners[i].uid, &p->owners[i].gid, e))
			return -1;
	if (priv_user(p->conf, "proxy", NULL, &p->proxy_gid, e))
		return -1;
	return priv_user(p->conf, "build", &p->build_uid, &p->build_gid, e);
}

static int priv_directories(struct priv *p, struct err *e)
{
	const char *run_dir = p->conf->run_dir;

	p->machines_dir = xasprintf("%s/m", run_dir);
	p->stage_dir = xasprintf("%s/jail", run_dir);
	p->log_path = xasprintf("%s/machines.log", p->conf->log_dir);
	if (mkdir(run_dir, 0755) && errno != EEXIST)
		return err_sys(e, "make '%s'", run_dir);
	if (mkdir(p->machines_dir, 0755) && errno != EEXIST)
		return err_sys(e, "make '%s'", p->machines_dir);
	if (mkdir(p->stage_dir, 0700) && errno != EEXIST)
		return err_sys(e, "make '%s'", p->stage_dir);
	return 0;
}

static void priv_layers(struct priv *p)
{
	const struct owner *image = &p->owners[PRIV_OWNER_IMAGE];

	p->layers = (struct layer_store){
		.loop = p->loop,
		.build_dir = xasprintf("%s/build", p->conf->data_dir),
		.size_bytes = (uint64_t)p->conf->build_disk_gib * GIB,
		.owner = image->uid,
		.owner_gid = image->gid,
		.user = p->build_uid,
		.user_gid = p->build_gid,
	};
	list_init(&p->layers.waiting);
}

static int priv_open(struct priv *p, const struct conf *conf, int super_fd, struct err *e)
{
	*p = (struct priv){ .conf = conf };
	list_init(&p->machines);
	list_init(&p->builds);
	for (size_t i = 0; i < PRIV_NUM_OWNERS; i++) {
		p->peers[i].priv = p;
		chan_init(&p->peers[i].chan, -1, priv_rows, PRIV_NUM_TYPES);
	}
	chan_init(&p->super, super_fd, super_rows, SUPER_NUM_TYPES);
	p->loop = loop_new(e);
	if (!p->loop || io_nonblock(super_fd) || fcntl(super_fd, F_SETFD, FD_CLOEXEC))
		return -1;
	if (seccomp_filter_make(&p->filter, e) || names_init(&p->names, conf, e) ||
	    priv_users(p, e) || priv_directories(p, e) ||
	    cgroups_open(&p->groups, p->loop, conf->run_dir, p->names.group, e) ||
	    slots_init(&p->slots, p->loop, &p->names, conf->run_dir, (unsigned)conf->slot_spare, e))
		return -1;
	if (recover_all(p, e) ||
	    host_setup_open(&p->host, p->loop, &p->names, conf->run_dir, conf->dns_upstream, e))
		return -1;
	priv_layers(p);
	slots_start(&p->slots);
	return loop_watch(p->loop, &p->super_watch, super_fd, EPOLLIN, super_ready, e);
}

/* Machines that are kept need all of this; the next start clears the rest. */
static void priv_close(struct priv *p)
{
	bool remove = !p->keep;

	layer_store_unmount(&p->layers);
	seccomp_filter_free(&p->filter);
	if (remove)
		slots_sweep(&p->slots);
	host_setup_close(&p->host, remove);
	cgroups_close(&p->groups, remove);
	if (remove) {
		rmdir(p->slots.netns_dir);
		rmdir(p->machines_dir);
		rmdir(p->stage_dir);
	}
}

int priv_main(const struct conf *conf, int super_fd)
{
	static struct priv priv;
	struct err e;

	if (priv_open(&priv, conf, super_fd, &e) || loop_run(priv.loop, &e)) {
		log_err("%s", e.text);
		return 1;
	}
	priv_close(&priv);
	return 0;
}
