/* Clears what an earlier image role left: machines, build steps, directories, drafts. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "image/build.h"
#include "image/maintenance.h"
#include "image/vm.h"

struct sweep {
	struct image_role *role;
	struct request machines;
	unsigned open; /* parts under way */
	bool begun;    /* all parts have been started */
};

static void sweep_store(struct sweep *s);

static void sweep_part_done(struct sweep *s)
{
	s->open--;
	if (s->begun && !s->open)
		sweep_store(s);
}

static bool sweep_known(const struct image_role *role, const char *machine)
{
	list_each(vm, &role->vms, struct vm, in)
	{
		if (!strncmp(vm->id, machine, sizeof(vm->id)))
			return true;
	}
	return false;
}

static bool sweep_machine(struct request *r, struct ipc_msg *m)
{
	struct sweep *s = container_of(r, struct sweep, machines);
	const struct priv_machine_item *item = (const void *)m->body;
	struct priv_machine end;

	if (m->head.type != PRIV_MACHINE_ITEM)
		return false;
	if (!sweep_known(s->role, item->machine)) {
		log_info("A microVM of an earlier build is ended machine=%s", item->machine);
		memcpy(end.machine, item->machine, sizeof(end.machine));
		request_notify(s->role->priv, PRIV_MACHINE_END, &end, sizeof(end));
	}
	return true;
}

static void sweep_machines_done(struct request *r, struct ipc_msg *m)
{
	struct sweep *s = container_of(r, struct sweep, machines);
	struct err e;

	if (request_failed(m, &e))
		log_warn("earlier builds' microVMs are not known cause='%s'", e.text);
	sweep_part_done(s);
}

static void sweep_machines(struct sweep *s)
{
	const struct priv_owner owner = { .owner = PRIV_OWNER_IMAGE };

	s->open++;
	s->machines.more = sweep_machine;
	request_send(s->role, s->role->priv, &s->machines,
		     &(struct request_what){ PRIV_MACHINE_LIST, &owner, sizeof(owner), NULL, 0 },
		     sweep_machines_done);
}

static void sweep_dir_done(struct maintenance *m, const json_t *result, const struct err *e)
{
	(void)result;
	(void)e;
	sweep_part_done(maintenance_arg(m));
}

/* A build step of an earlier role may still run in the directory; job.c has marked it. */
static void sweep_dir(struct sweep *s, const char *name)
{
	int fd = io_open_below(s->role->build_fd, name, O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		struct priv_build_id id = { 0 };

		if (strncmp(entry->d_name, "b-", 2) != 0 ||
		    strlen(entry->d_name) >= sizeof(id.build))
			continue;
		memcpy(id.build, entry->d_name, strlen(entry->d_name));
		request_notify(s->role->priv, PRIV_BUILD_END, &id, sizeof(id));
	}
	if (dir)
		closedir(dir);
	else
		fd_close(&fd);
	s->open++;
	maintenance_start(s->role,
			  &(struct maintenance_what){ name, NULL, NULL, -1, PRIV_NET_NONE },
			  sweep_dir_done, s);
}

/* The directory may belong to a build of this role, or to a maintenance step. */
static bool sweep_in_use(const struct image_role *role, const char *name)
{
	list_each(b, &role->builds, struct build, in)
	{
		if (!strcmp(b->what.name.build, name))
			return true;
	}
	list_each(j, &role->jobs, struct job, in)
	{
		if (!strcmp(j->dir, name))
			return true;
	}
	return false;
}

static void sweep_dirs(struct sweep *s)
{
	int fd = io_open_below(s->role->build_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (uuid_valid(entry->d_name) && !sweep_in_use(s->role, entry->d_name))
			sweep_dir(s, entry->d_name);
	if (dir)
		closedir(dir);
	else
		fd_close(&fd);
}

static int sweep_image(int images, const char *image)
{
	int fd = io_open_below(images, image, O_RDONLY | O_DIRECTORY, 0), rc = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] == '.' && strlen(entry->d_name) > 3 &&
		    io_remove_tree(fd, entry->d_name))
			rc = -EIO;
	if (dir)
		closedir(dir);
	else
		fd_close(&fd);
	if (unlinkat(images, image, AT_REMOVEDIR) && errno != ENOTEMPTY && errno != EEXIST)
		rc = -errno;
	return rc;
}

/* Deletes drafts (".N.new") and half-deleted versions (".N.gone"). This runs in a child. */
static int sweep_drafts_work(void *arg)
{
	struct sweep *s = arg;
	int fd = io_open_below(s->role->images_fd, ".", O_RDONLY | O_DIRECTORY, 0), rc = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (uuid_valid(entry->d_name) && sweep_image(s->role->images_fd, entry->d_name))
			rc = -EIO;
	return rc;
}

static void sweep_drafts_done(void *arg, int rc)
{
	if (rc)
		log_warn("drafts of image versions stay");
	sweep_part_done(arg);
}

static void sweep_drafts(struct sweep *s)
{
	struct err e;

	if (fork_task_start(s->role->loop, sweep_drafts_work, s, &s->role->images_fd, 1,
			    sweep_drafts_done, s, &e))
		s->open++;
	else
		log_warn("drafts of image versions stay cause='%s'", e.text);
}

static void sweep_end(struct sweep *s)
{
	struct image_role *role = s->role;

	free(s);
	role->cleared = true;
	builds_more(role);
}

static void sweep_store_done(struct maintenance *m, const json_t *result, const struct err *e)
{
	if (!json_is_true(json_object_get(result, "ok")))
		log_warn("the layer store is not cleared of earlier builds cause='%s'",
			 result ? "see its result" : e->text);
	sweep_end(maintenance_arg(m));
}

/* The containers that earlier builds left in the store are removed last, when nothing of these
 * builds runs any more. */
static void sweep_store(struct sweep *s)
{
	if (faccessat(s->role->build_fd, "layers.img", F_OK, 0)) {
		sweep_end(s);
		return;
	}
	maintenance_start(s->role,
			  &(struct maintenance_what){ NULL, "reset", NULL, -1, PRIV_NET_NONE },
			  sweep_store_done, s);
}

void sweep_start(struct image_role *role)
{
	struct sweep *s = xcalloc(1, sizeof(*s));

	s->role = role;
	sweep_machines(s);
	sweep_dirs(s);
	if (!role->cleared)
		sweep_drafts(s);
	s->begun = true;
	if (!s->open)
		sweep_store(s);
}
