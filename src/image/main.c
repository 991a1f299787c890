/* The image role: its peers, its directories, its start. */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "image/image.h"
#include "image/job.h"
#include "image/vm.h"
#include "ipc/super.h"
#include "net/role.h"

#if defined(__aarch64__)
#define IMAGE_ARCH "arm64"
#else
#define IMAGE_ARCH "amd64"
#endif

int image_share(const struct image_role *role, int fd, mode_t mode)
{
	return fchown(fd, (uid_t)-1, role->control_gid) || fchmod(fd, mode) ? -1 : 0;
}

int image_create(const struct image_role *role, int dirfd, const char *name, struct err *e)
{
	autoclose int fd = io_open_below(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0640);

	errno = fd < 0 ? -fd : 0;
	if (fd < 0 || image_share(role, fd, 0640))
		return err_sys(e, "make the file '%s'", name);
	return fd_steal(&fd);
}

static void image_chan_freed(struct chan_uv *c)
{
	free(c);
}

static void image_control_got(struct chan_uv *c, struct ipc_msg *m)
{
	builds_got(c->poll.loop->data, m);
}

static void image_objects_got(struct chan_uv *c, struct ipc_msg *m)
{
	request_answered(c->poll.loop->data, c, m);
}

static void image_priv_got(struct chan_uv *c, struct ipc_msg *m)
{
	struct image_role *role = c->poll.loop->data;

	if (m->head.type == PRIV_BUILD_GONE)
		jobs_gone(role, (const void *)m->body);
	else if (m->head.type == PRIV_MACHINE_GONE)
		vms_gone(role, (const void *)m->body);
	else
		request_answered(role, c, m);
}

/* For each peer, the pointer of the role that holds it and the messages that it sends. */
static const struct image_peer {
	enum role role;
	size_t at;
	const struct ipc_row *rows;
	size_t n_rows;
	void (*got)(struct chan_uv *c, struct ipc_msg *m);
} image_peers[] = {
	{ ROLE_CONTROL, offsetof(struct image_role, control), build_rows, BUILD_NUM_TYPES,
	  image_control_got },
	{ ROLE_PRIV, offsetof(struct image_role, priv), priv_rows, PRIV_NUM_TYPES, image_priv_got },
	{ ROLE_OBJECTS, offsetof(struct image_role, objects), object_rows, OBJECT_NUM_TYPES,
	  image_objects_got },
};

static struct chan_uv **image_peer_slot(struct image_role *role, const struct image_peer *p)
{
	return (struct chan_uv **)(void *)((char *)role + p->at);
}

static void image_peer_drop(struct image_role *role, struct chan_uv *c)
{
	bool priv = c == role->priv;

	for (size_t i = 0; i < ARRAY_SIZE(image_peers); i++)
		if (*image_peer_slot(role, &image_peers[i]) == c)
			*image_peer_slot(role, &image_peers[i]) = NULL;
	requests_lost(role, c);
	if (priv)
		jobs_lost(role);
}

static void image_peer_lost(struct chan_uv *c)
{
	c->freed = image_chan_freed;
	image_peer_drop(c->poll.loop->data, c);
}

static void image_peer(void *arg, enum role which, unsigned worker, int fd)
{
	const struct image_peer *p = NULL;
	struct image_role *role = arg;
	struct chan_uv **slot, *c;
	struct err e;

	(void)worker;
	for (size_t i = 0; i < ARRAY_SIZE(image_peers); i++)
		if (image_peers[i].role == which)
			p = &image_peers[i];
	if (!p) {
		close(fd);
		return;
	}
	slot = image_peer_slot(role, p);
	if (*slot) {
		c = *slot;
		chan_uv_close(c, image_chan_freed);
		image_peer_drop(role, c);
	}
	c = xcalloc(1, sizeof(*c));
	if (chan_uv_open(c, role->loop, fd, p->rows, p->n_rows, p->got, image_peer_lost, &e)) {
		log_err("%s", e.text);
		free(c);
		return;
	}
	*slot = c;
	if (which == ROLE_PRIV && role->started)
		sweep_start(role);
}

static void image_start(void *arg, uint16_t endpoint_port, unsigned workers)
{
	struct image_role *role = arg;

	(void)endpoint_port, (void)workers;
	role->started = true;
	role_ready(role->link);
	sweep_start(role);
}

static const struct role_events image_events = { .peer = image_peer, .start = image_start };

static int image_open_dir(const char *base, const char *name, struct err *e)
{
	autofree char *path = xasprintf("%s/%s", base, name);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "open '%s'", path) : fd;
}

/* The registry of npm's own configuration of this host: the environment comes before the file. */
static char *image_npm_registry(void)
{
	static const char *const names[] = { "npm_config_registry", "NPM_CONFIG_REGISTRY" };
	FILE *file = NULL;
	char line[512], value[400];
	const char *set;
	char *found = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if ((set = getenv(names[i])) && *set)
			return xstrdup(set);
	file = fopen("/etc/npmrc", "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, " registry = %399s", value) == 1) {
			free(found);
			found = xstrdup(value);
		}
	if (file)
		fclose(file);
	return found;
}

static int image_open(struct image_role *role, struct err *e)
{
	autofree char *name = xasprintf("%s-control", role->conf->users_prefix);
	struct group *group = getgrnam(name);

	if (!group)
		return err_set(e, ERR_INVALID, "there is no group '%s': run tools/install again",
			       name);
	role->control_gid = group->gr_gid;
	role->images_fd = image_open_dir(role->conf->data_dir, "images", e);
	role->build_fd = image_open_dir(role->conf->data_dir, "build", e);
	role->log_fd = image_open_dir(role->conf->log_dir, "builds", e);
	return role->images_fd < 0 || role->build_fd < 0 || role->log_fd < 0 ? -1 : 0;
}

int image_main(const struct conf *conf, int super_fd)
{
	static struct image_role role;
	struct err e;

	role.conf = conf;
	role.loop = uv_default_loop();
	role.loop->data = &role;
	role.arch = IMAGE_ARCH;
	role.npm_registry = image_npm_registry();
	list_init(&role.requests);
	list_init(&role.jobs);
	list_init(&role.vms);
	list_init(&role.builds);
	umask(027);
	if (image_open(&role, &e)) {
		log_err("%s", e.text);
		return 1;
	}
	role.link = role_open(role.loop, super_fd, &image_events, &role, &e);
	if (!role.link) {
		log_err("%s", e.text);
		return 1;
	}
	return role_run(role.link);
}
