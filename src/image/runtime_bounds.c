#include "image/runtime_bounds.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"

/* A file as the kernel knows it: below which root of which file system. */
struct place {
	char device[32];         /* "254:0" */
	char path[2 * PATH_MAX]; /* in that file system */
	char kind[32];           /* "ext4" */
	char options[8192];      /* of the file system */
};

/* Undoes the "\\040" of mountinfo, in place. */
static void place_unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] && text[3]) {
			*to++ = (char)((text[1] & 3) << 6 | (text[2] & 7) << 3 | (text[3] & 7));
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

/* The number of the mount that the descriptor is on; -1: unknown. */
static int place_mount(int fd)
{
	autofree char *path = xasprintf("/proc/self/fdinfo/%d", fd);
	FILE *file = fopen(path, "re");
	char line[128];
	int id = -1;

	while (file && id < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, "mnt_id: %d", &id) != 1)
			id = -1;
	if (file)
		fclose(file);
	return id;
}

/* "36 35 98:0 /root /point rw,noatime shared:1 - ext4 /dev/root rw" */
static bool place_read(char *line, const char *path, struct place *p)
{
	char root[PATH_MAX], point[PATH_MAX], *rest = strstr(line, " - ");

	if (!rest || sscanf(line, "%*d %*d %31s %4095s %4095s", p->device, root, point) != 3 ||
	    sscanf(rest, " - %31s %*s %8191s", p->kind, p->options) != 2)
		return false;
	place_unescape(root);
	place_unescape(point);
	place_unescape(p->options);
	if (strcmp(point, "/") != 0) {
		if (strncmp(path, point, strlen(point)) != 0)
			return false;
		path += strlen(point);
	}
	snprintf(p->path, sizeof(p->path), "%s%s",
		 strcmp(root, "/") && *path ? root
		 : *path                    ? ""
					    : root,
		 path);
	return true;
}

static bool place_of(const char *source, struct place *p)
{
	autoclose int fd = open(source, O_PATH | O_CLOEXEC);
	autofree char *link = xasprintf("/proc/self/fd/%d", fd);
	FILE *table = fopen("/proc/self/mountinfo", "re");
	char path[PATH_MAX], *line = NULL;
	ssize_t n = fd < 0 ? -1 : readlink(link, path, sizeof(path) - 1);
	int id = n < 0 ? -1 : place_mount(fd);
	bool found = false;
	size_t room = 0;

	path[n < 0 ? 0 : n] = '\0';
	while (table && id >= 0 && !found && getline(&line, &room, table) > 0)
		found = atoi(line) == id && place_read(line, path, p);
	free(line);
	if (table)
		fclose(table);
	return found;
}

static bool place_is_below(const struct place *p, const struct place *top)
{
	size_t n = strlen(top->path);

	return !strcmp(p->device, top->device) && !strncmp(p->path, top->path, n) &&
	       (!p->path[n] || p->path[n] == '/' || (n && top->path[n - 1] == '/'));
}

/* What the builder itself mounts into every container. */
static bool place_is_usual(const struct place *p, const char *target)
{
	static const char *const targets[] = { "/sys", "/proc", "/dev" };
	static const char *const kinds[] = { "sysfs",  "proc",    "devpts", "mqueue",
					     "cgroup", "cgroup2", "tmpfs" };
	bool inside = false, known = false;

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		size_t n = strlen(targets[i]);

		inside = inside ||
			 (!strncmp(target, targets[i], n) && (!target[n] || target[n] == '/'));
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		known = known || !strcmp(p->kind, kinds[i]);
	return inside && known;
}

static bool place_is_of_a_stage(const struct place *p, const char *store)
{
	autofree char *lower = xasprintf("lowerdir=%s/overlay/", store);

	return !strcmp(p->kind, "overlay") && strstr(p->options, lower);
}

static bool bounds_allow(const struct place *p, const char *target)
{
	/* Of the store: caches of RUN, Node's archives, and the builder's own files of a container.
	 */
	static const struct {
		const char *variable, *folder;
	} tops[] = {
		{ "DOZE_RUN_DIR", "" },        { "DOZE_RUN_STORE", "/caches" },
		{ "DOZE_RUN_STORE", "/node" }, { "DOZE_RUN_STORE", "/overlay-containers" },
		{ "DOZE_RUN_LIBEXEC", "" },
	};
	const char *store = getenv("DOZE_RUN_STORE");

	if (place_is_usual(p, target) || (store && place_is_of_a_stage(p, store)))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(tops); i++) {
		const char *value = getenv(tops[i].variable);
		autofree char *path = xasprintf("%s%s", value ? value : "", tops[i].folder);
		struct place top;

		if (value && *value && place_of(path, &top) && place_is_below(p, &top))
			return true;
	}
	return false;
}

static bool bounds_is_bind(const json_t *mount)
{
	const char *type = json_string_value(json_object_get(mount, "type"));
	json_t *option;
	size_t i;

	json_array_foreach(json_object_get(mount, "options"), i, option)
	{
		const char *text = json_string_value(option);

		if (text && (!strcmp(text, "bind") || !strcmp(text, "rbind")))
			return true;
	}
	return type && !strcmp(type, "bind");
}

int runtime_keep_inside(const json_t *mounts)
{
	json_t *mount;
	size_t i;

	json_array_foreach(mounts, i, mount)
	{
		const char *source = json_string_value(json_object_get(mount, "source"));
		const char *target = json_string_value(json_object_get(mount, "destination"));
		struct place p;

		if (!source || !target || !bounds_is_bind(mount))
			continue;
		/* What is not there cannot be mounted, and runc says so. */
		if (access(source, F_OK) && errno == ENOENT)
			continue;
		if (place_of(source, &p) && bounds_allow(&p, target))
			continue;
		/* In the words of runc, which whoever reads the builder's output knows. */
		fprintf(stderr,
			"time=\"\" level=error msg=\"runc create failed: the mount at %.200s leads "
			"out "
			"of the build\"\n",
			target);
		errno = EPERM;
		return -1;
	}
	return 0;
}
