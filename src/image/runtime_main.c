/* runtime_main.c - doze-build-runtime: runc, for steps of builds that ask for more than the builder
 * can say.
 *
 * The builder calls it as it would call runc, with a bundle whose config.json it has written.
 * Mounts with certain targets are orders (wire/dockerfile_lowered.h): they are carried out there
 * and removed.  Then doze-build-runc (runc_main.c) beside it takes this process's place. */

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "image/runtime_bounds.h"
#include "wire/dockerfile_lowered.h"

#define RUNTIME "doze-build-runc"

struct runtime {
	const char *bundle;
	json_t *config;
	unsigned copies;
};

static int runtime_fail(const char *what)
{
	fprintf(stderr, "doze-build-runtime: %s: %s\n", what, strerrordesc_np(errno));
	return 1;
}

/* A namespace without a path is a new one, in which there is the loopback alone. */
static void runtime_cut_network(struct runtime *r)
{
	json_t *linux_part = json_object_get(r->config, "linux");
	json_t *list = json_object_get(linux_part, "namespaces"), *each;
	size_t i;

	json_array_foreach(list, i, each)
	{
		const char *type = json_string_value(json_object_get(each, "type"));

		if (type && !strcmp(type, "network")) {
			json_array_remove(list, i);
			break;
		}
	}
	json_array_append_new(list, json_pack("{s:s}", "type", "network"));
}

static json_t *runtime_mount_at(const struct runtime *r, const char *target)
{
	json_t *list = json_object_get(r->config, "mounts"), *each;
	size_t i;

	json_array_foreach(list, i, each)
	{
		const char *to = json_string_value(json_object_get(each, "destination"));

		if (to && !strcmp(to, target))
			return each;
	}
	return NULL;
}

static int runtime_copy_file(json_t *mount, const char *source, const char *to)
{
	autoclose int from = open(source, O_RDONLY | O_CLOEXEC);
	autoclose int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct stat st;

	if (from < 0 || fd < 0 || fstat(from, &st) || io_copy_sparse(from, fd) ||
	    fchown(fd, st.st_uid, st.st_gid) || fchmod(fd, st.st_mode & 07777))
		return -1;
	json_object_set_new(mount, "source", json_string(to));
	return 0;
}

/* A folder becomes the lower part of an overlay, whose upper part goes with the bundle. */
static int runtime_own_copy(struct runtime *r, const char *target)
{
	json_t *mount = runtime_mount_at(r, target);
	const char *source = json_string_value(json_object_get(mount, "source"));
	autofree char *base = xasprintf("%s/own-%u", r->bundle, r->copies++);
	autofree char *upper = xasprintf("%s/upper", base);
	autofree char *work = xasprintf("%s/work", base);
	autofree char *file = xasprintf("%s/file", base);
	struct stat st;

	if (!source || stat(source, &st) || mkdir(base, 0700))
		return -1;
	if (!S_ISDIR(st.st_mode))
		return runtime_copy_file(mount, source, file);
	if (strpbrk(source, ":,\\") || mkdir(upper, 0755) || mkdir(work, 0755) ||
	    chown(upper, st.st_uid, st.st_gid) || chmod(upper, st.st_mode & 07777))
		return -1;
	json_object_set_new(mount, "type", json_string("overlay"));
	json_object_set_new(mount, "options",
			    json_pack("[s+, s+, s+]", "lowerdir=", source, "upperdir=", upper,
				      "workdir=", work));
	json_object_set_new(mount, "source", json_string("overlay"));
	return 0;
}

static int runtime_orders(struct runtime *r)
{
	static const char copy[] = DOCKERFILE_OWN_COPY "/";
	json_t *list = json_object_get(r->config, "mounts");

	if (runtime_keep_inside(list))
		return -1;
	for (size_t i = 0; i < json_array_size(list);) {
		const char *to =
			json_string_value(json_object_get(json_array_get(list, i), "destination"));
		bool cut = to && !strcmp(to, DOCKERFILE_NO_NETWORK);
		bool own = to && !strncmp(to, copy, sizeof(copy) - 1);

		if (!cut && !own) {
			i++;
			continue;
		}
		if (cut)
			runtime_cut_network(r);
		else if (runtime_own_copy(r, to + sizeof(copy) - 2))
			return -1;
		json_array_remove(list, i);
	}
	return 0;
}

static int runtime_prepare(const char *bundle)
{
	autofree char *path = xasprintf("%s/config.json", bundle);
	struct runtime r = { .bundle = bundle, .config = json_load_file(path, 0, NULL) };
	int rc = r.config ? runtime_orders(&r) : -1;

	if (!rc)
		rc = json_dump_file(r.config, path, JSON_COMPACT);
	json_decref(r.config);
	return rc;
}

/* The program that lies beside this one. */
static char *runtime_next(void)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n < 0)
		return NULL;
	self[n] = '\0';
	slash = strrchr(self, '/');
	return xasprintf("%.*s/" RUNTIME, (int)(slash - self), self);
}

int main(int argc, char **argv)
{
	autofree char *next = runtime_next();
	const char *bundle = NULL;
	bool create = false;

	for (int i = 1; i < argc; i++) {
		create = create || !strcmp(argv[i], "create");
		if (!strcmp(argv[i], "--bundle") && i + 1 < argc)
			bundle = argv[i + 1];
		else if (!strncmp(argv[i], "--bundle=", 9))
			bundle = argv[i] + 9;
	}
	if (create && bundle && runtime_prepare(bundle))
		return errno == EPERM ? 1 : runtime_fail("prepare a step");
	if (next)
		execv(next, argv);
	return runtime_fail(RUNTIME);
}
