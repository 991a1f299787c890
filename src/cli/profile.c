#include "cli/profile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/client.h"

#define PROFILE_MAX (64 * KIB)
#define SUFFIX      ".json"

bool profile_name_valid(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_");

	return n && n <= 32 && !name[n];
}

static char *profile_dir(void)
{
	const char *home = getenv("HOME");

	return xasprintf("%s/.config/doze/profiles", home ? home : "/root");
}

static int profile_open(bool make, struct err *e)
{
	autofree char *dir = profile_dir();
	int fd;

	for (char *slash = strchr(dir + 1, '/'); make && slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(dir, 0755);
		*slash = '/';
	}
	if (make)
		mkdir(dir, 0700);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "open '%s'", dir) : fd;
}

static int profile_missing(const char *name, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND,
		       "there is no profile '%s': 'doze profile ls' lists those that there are, "
		       "and 'doze login https://SERVER:9010 --profile %s' makes it",
		       name, name);
}

/* NULL: *e says why. */
static json_t *profile_load(int dir, const char *name, struct err *e)
{
	autofree char *file = xasprintf("%s" SUFFIX, name);
	autoclose int fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	autobuf struct buf text = { .secret = true };
	json_t *all = NULL;

	if (fd < 0) {
		if (errno == ENOENT)
			profile_missing(name, e);
		else
			err_sys(e, "open the profile '%s'", name);
		return NULL;
	}
	if (!io_read_all(fd, &text, PROFILE_MAX))
		all = json_loadb((const char *)text.data, text.size, 0, NULL);
	if (!all)
		err_set(e, ERR_INVALID, "the profile '%s' cannot be read: log in anew", name);
	return all;
}

/* A member of a profile and its place in struct client: a text, or (size 0) a number. */
struct profile_member {
	const char *name;
	size_t offset, size;
};

#define TEXT_OF(name, m)   name, offsetof(struct client, m), sizeof(((struct client *)0)->m)
#define NUMBER_OF(name, m) name, offsetof(struct client, m), 0

static const struct profile_member members[] = {
	{ TEXT_OF("host", host) },
	{ NUMBER_OF("apiPort", conf.api_port) },
	{ NUMBER_OF("s3Port", conf.s3_port) },
	{ TEXT_OF("region", conf.region) },
	{ TEXT_OF("account", conf.account) },
	{ TEXT_OF("domain", conf.domain) },
	{ TEXT_OF("accessKey", access_key) },
	{ TEXT_OF("secretKey", secret) },
};

int profile_read(struct client *c, const char *name, struct err *e)
{
	struct err none;
	autoclose int dir = profile_open(false, &none);
	autofree char *path = profile_dir();
	json_t *all;

	if (!profile_name_valid(name))
		return err_set(e, ERR_INVALID, "'%s' cannot be the name of a profile", name);
	if (dir < 0)
		return profile_missing(name, e);
	all = profile_load(dir, name, e);
	for (size_t i = 0; all && i < ARRAY_SIZE(members); i++) {
		const struct profile_member *m = &members[i];
		const json_t *value = json_object_get(all, m->name);
		char *at = (char *)c + m->offset;
		int64_t number = json_integer_value(value);

		if (m->size)
			snprintf(at, m->size, "%s",
				 json_is_string(value) ? json_string_value(value) : "");
		else
			memcpy(at, &number, sizeof(number));
	}
	if (!all)
		return -1;
	json_decref(all);
	snprintf(c->profile, sizeof(c->profile), "%s", name);
	snprintf(c->ca_file, sizeof(c->ca_file), "%s/%s.crt", path, name);
	return 0;
}

int profile_connect(struct client *c, const char *name, struct err *e)
{
	conf_defaults(&c->conf, "");
	return profile_read(c, name, e) ? -1 : client_attach(c, e);
}

static json_t *profile_json(const struct client *c)
{
	json_t *all = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		const char *at = (const char *)c + members[i].offset;
		int64_t number;

		memcpy(&number, at, sizeof(number));
		json_object_set_new(all, members[i].name,
				    members[i].size ? json_string(at) : json_integer(number));
	}
	return all;
}

/* The certificate is there before the profile that needs it. */
int profile_write(const struct client *c, const char *name, const char *ca, struct err *e)
{
	autofree char *file = xasprintf("%s" SUFFIX, name);
	autofree char *cert = xasprintf("%s.crt", name);
	autoclose int dir = profile_open(true, e);
	json_t *all = profile_json(c);
	char *text = json_dumps(all, JSON_INDENT(2));
	int rc = dir < 0 || io_replace(dir, cert, ca, strlen(ca), 0644, e) ||
				 io_replace(dir, file, text, strlen(text), 0600, e)
			 ? -1
			 : 0;

	json_decref(all);
	explicit_bzero(text, strlen(text));
	free(text);
	return rc;
}

int profile_remove(const char *name, struct err *e)
{
	struct err none;
	autofree char *file = xasprintf("%s" SUFFIX, name);
	autofree char *cert = xasprintf("%s.crt", name);
	autoclose int dir = profile_name_valid(name) ? profile_open(false, &none) : -1;

	if (dir < 0 || unlinkat(dir, file, 0))
		return profile_missing(name, e);
	unlinkat(dir, cert, 0);
	return 0;
}

static const char *profile_name(const json_t *item)
{
	return json_string_value(json_object_get(item, "name"));
}

static int profile_compare(const void *a, const void *b)
{
	return strcmp(profile_name(*(json_t *const *)a), profile_name(*(json_t *const *)b));
}

static json_t *profile_sorted(json_t *list)
{
	size_t n = json_array_size(list);
	json_t **all = xcalloc(n + 1, sizeof(json_t *));
	json_t *sorted = json_array();

	for (size_t i = 0; i < n; i++)
		all[i] = json_array_get(list, i);
	qsort(all, n, sizeof(json_t *), profile_compare);
	for (size_t i = 0; i < n; i++)
		json_array_append(sorted, all[i]);
	free(all);
	json_decref(list);
	return sorted;
}

static void profile_list_one(json_t *list, int dir, const char *name)
{
	static const char *const shown[] = { "host", "apiPort", "region", "account" };
	struct err e;
	json_t *all = profile_load(dir, name, &e), *item;

	if (!all)
		return;
	item = json_pack("{ss}", "name", name);
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		json_object_set(item, shown[i], json_object_get(all, shown[i]));
	json_array_append_new(list, item);
	json_decref(all);
}

json_t *profile_list(struct err *e)
{
	autoclose int fd = profile_open(false, e);
	DIR *dir = fd < 0 ? NULL : fdopendir(dup(fd));
	json_t *list = json_array();
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		size_t n = strlen(entry->d_name), tail = strlen(SUFFIX);
		autofree char *name = n > tail ? strndup(entry->d_name, n - tail) : NULL;

		if (name && !strcmp(entry->d_name + n - tail, SUFFIX) && profile_name_valid(name))
			profile_list_one(list, fd, name);
	}
	if (dir)
		closedir(dir);
	return profile_sorted(list);
}
