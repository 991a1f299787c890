#include "dozed/places.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "ipc/format.h"

enum place_root { IN_DATA, IN_RUN, IN_LOG };

/* The table lists parents before their children. */
static const struct place {
	enum place_root root;
	mode_t mode;
	const char *path, *owner, *group; /* after conf.users_prefix; NULL: root */
} places[] = {
	{ IN_DATA, 0700, "secrets", NULL, NULL },
	{ IN_DATA, 0700, "control", "control", "control" },
	{ IN_DATA, 0700, "control/microvms", "control", "control" },
	{ IN_DATA, 0700, "control/machines", "control", "control" },
	{ IN_DATA, 0700, "objects", "objects", "objects" },
	{ IN_DATA, 0700, "bases", "image", "image" },
	{ IN_DATA, 0750, "images", "image", "control" },
	{ IN_DATA, 0711, "build", "image", "image" },
	{ IN_RUN, 0711, "m", NULL, NULL },
	{ IN_RUN, 0700, "netns", NULL, NULL },
	{ IN_LOG, 0770, "builds", "image", "control" },
	{ IN_LOG, 0700, "microvms", "control", "control" },
	{ IN_LOG, 0700, "events", "control", "control" },
};

static int place_ids(const struct conf *conf, const struct place *p, uid_t *uid, gid_t *gid,
		     struct err *e)
{
	char name[64];

	*uid = 0;
	*gid = 0;
	if (!p->owner)
		return 0;
	snprintf(name, sizeof(name), "%s-%s", conf->users_prefix, p->owner);
	struct passwd *user = getpwnam(name);

	if (!user)
		return err_set(e, ERR_INVALID, "there is no user '%s': run tools/install again",
			       name);
	*uid = user->pw_uid;
	snprintf(name, sizeof(name), "%s-%s", conf->users_prefix, p->group);
	struct group *group = getgrnam(name);

	if (!group)
		return err_set(e, ERR_INVALID, "there is no group '%s': run tools/install again",
			       name);
	*gid = group->gr_gid;
	return 0;
}

static int place_make(const struct conf *conf, int root, const struct place *p, struct err *e)
{
	autoclose int fd = -1;
	struct stat st;
	uid_t uid;
	gid_t gid;
	int rc;

	if (place_ids(conf, p, &uid, &gid, e))
		return -1;
	rc = io_mkdir(root, p->path, 0700);
	fd = rc ? rc : io_open_below(root, p->path, O_RDONLY | O_DIRECTORY, 0);
	errno = fd < 0 ? -fd : 0;
	if (fd < 0 || fstat(fd, &st))
		return err_sys(e, "make the directory '%s'", p->path);
	/* Some file systems need room even for a change that changes nothing. */
	if (((st.st_uid != uid || st.st_gid != gid) && fchown(fd, uid, gid)) ||
	    ((st.st_mode & 07777) != p->mode && fchmod(fd, p->mode)))
		return err_sys(e, "make the directory '%s'", p->path);
	return 0;
}

/* Makes the directory and its parents, as mkdir -p does. */
static int place_root(const char *path, struct err *e)
{
	autofree char *part = xstrdup(path);
	int fd;

	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) && errno != EEXIST)
			return err_sys(e, "make '%s'", part);
		*slash = '/';
	}
	if (mkdir(path, 0755) && errno != EEXIST)
		return err_sys(e, "make '%s'", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "open '%s'", path) : fd;
}

static int places_write_format(int data_fd, struct err *e)
{
	autobuf struct buf text = { 0 };

	buf_addf(&text, "%d\n", STORE_FORMAT);
	return io_replace(data_fd, "FORMAT", text.data, text.size, 0644, e);
}

/* A lower one is raised before control migrates the store, so that no older doze starts on what is
 * migrated. */
static int places_format(int data_fd, struct err *e)
{
	autoclose int fd = io_open_below(data_fd, "FORMAT", O_RDONLY, 0);
	autobuf struct buf text = { 0 };
	long format;

	if (!faccessat(data_fd, RESTORING, F_OK, 0))
		return err_set(e, ERR_CONFLICT,
			       "a restore of the data directory was broken off: repeat 'doze "
			       "restore'");
	if (fd == -ENOENT)
		return places_write_format(data_fd, e);
	if (fd < 0 || io_read_all(fd, &text, 64))
		return err_set(e, ERR_INTERNAL, "the data directory's FORMAT cannot be read");
	format = strtol(buf_str(&text), NULL, 10);
	if (format > STORE_FORMAT)
		return err_set(
			e, ERR_INVALID,
			"the data directory has format %ld and this doze knows %d: use the doze "
			"that wrote it, or a newer one",
			format, STORE_FORMAT);
	return format < STORE_FORMAT ? places_write_format(data_fd, e) : 0;
}

int places_make(const struct conf *conf, int *data_fd, struct err *e)
{
	autoclose int data = place_root(conf->data_dir, e);
	autoclose int run = data < 0 ? -1 : place_root(conf->run_dir, e);
	autoclose int log = run < 0 ? -1 : place_root(conf->log_dir, e);
	const int roots[] = { [IN_DATA] = data, [IN_RUN] = run, [IN_LOG] = log };

	if (log < 0 || places_format(data, e))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (place_make(conf, roots[places[i].root], &places[i], e))
			return -1;
	*data_fd = fd_steal(&data);
	return 0;
}

int places_lock(const struct conf *conf, struct err *e)
{
	autofree char *path = xasprintf("%s/dozed.pid", conf->run_dir);
	autoclose int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	char text[32];
	int n;

	if (fd < 0)
		return err_sys(e, "open '%s'", path);
	if (flock(fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK
			       ? err_set(e, ERR_CONFLICT, "dozed is already running (%s)", path)
			       : err_sys(e, "lock '%s'", path);
	n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) || write(fd, text, (size_t)n) != n)
		return err_sys(e, "write '%s'", path);
	return fd_steal(&fd);
}
