/* Finds the image of the store for the name that a Dockerfile gives. */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/step.h"

/* These names mean a base of ours; with `offline` only if no registry answers. A name matches up to
 * the pattern's '*', and `setup` may use the version in that place. */
static const struct base_name {
	const char *pattern, *base;
	bool offline;
	const char *setup; /* %s: the version */
} base_names[] = {
	{ "public.ecr.aws/lambda/microvms:al2023*", "debian-12", false, NULL },
	{ "docker.io/library/debian:bookworm*", "debian-12", true, NULL },
	{ "docker.io/library/debian:12*", "debian-12", true, NULL },
	{ "docker.io/library/debian:trixie*", "debian-13", true, NULL },
	{ "docker.io/library/debian:13*", "debian-13", true, NULL },
	{ "docker.io/library/debian:stable*", "debian-13", true, NULL },
	{ "docker.io/library/debian:latest*", "debian-13", true, NULL },
	{ "docker.io/library/debian:*", "debian-12", true, NULL },
	{ "docker.io/library/amazonlinux:*", "debian-12", true, NULL },
	{ "public.ecr.aws/amazonlinux/amazonlinux:2023*", "debian-12", true, NULL },
	{ "docker.io/library/python:*", "python", true,
	  "RUN dnf install -y python%s python%s-pip && ln -sf /usr/bin/python3 "
	  "/usr/local/bin/python "
	  "&& dnf clean all\nCMD [\"python3\"]" },
	{ "docker.io/library/node:*", "debian-12", true,
	  "RUN dnf install -y nodejs%s && dnf clean all\nCMD [\"node\"]" },
};

/* "python:3.12-slim" -> "docker.io/library/python:3.12-slim"; a missing tag is "latest". */
static char *base_full_name(const char *name)
{
	const char *slash = strchr(name, '/');
	size_t first = slash ? (size_t)(slash - name) : 0;
	bool host = slash && (memchr(name, '.', first) || memchr(name, ':', first) ||
			      (first == 9 && !memcmp(name, "localhost", 9)));
	const char *last = strrchr(name, '/');
	bool tagged = strchr(name, '@') || strchr(last ? last : name, ':');

	return xasprintf("%s%s%s%s", host ? "" : "docker.io/", host || slash ? "" : "library/",
			 name, tagged ? "" : ":latest");
}

static const struct base_name *base_find(const char *full, bool offline, const char **version)
{
	for (size_t i = 0; i < ARRAY_SIZE(base_names); i++) {
		size_t n = strcspn(base_names[i].pattern, "*");

		*version = full + n;
		if (base_names[i].offline == offline && !strncmp(full, base_names[i].pattern, n))
			return &base_names[i];
	}
	return NULL;
}

/* The leading number of a tag: "3.12-slim" -> "3.12", "22-slim" -> "22", "latest" -> "". */
static void base_version(const char *tag, bool dots, char *to, size_t room)
{
	size_t n = strspn(tag, dots ? "0123456789." : "0123456789");

	if (n >= room || (n && tag[n - 1] == '.') || (tag[n] && tag[n] != '-' && tag[n] != '.'))
		n = 0;
	memcpy(to, tag, n);
	to[n] = '\0';
}

/* "3.12.4" -> 3 and 12; false if it is not of that form. */
static bool base_python_version(const char *version, unsigned long *major, unsigned long *minor)
{
	char *end;

	*major = strtoul(version, &end, 10);
	if (end == version || *end != '.' || !isdigit((unsigned char)end[1]))
		return false;
	*minor = strtoul(end + 1, NULL, 10);
	return *major < 100 && *minor < 100;
}

static int base_take(struct step *s, const struct base_name *b, const char *tag, char **image,
		     char **setup, struct err *e)
{
	bool python = !strcmp(b->base, "python");
	unsigned long major, minor;
	char version[48];
	const char *base;

	base_version(tag, python, version, sizeof(version));
	base = s->python13 ? "debian-13" : python ? "debian-12" : b->base;
	if (python && base_python_version(version, &major, &minor)) {
		snprintf(version, sizeof(version), "%lu.%lu", major, minor);
		base = minor >= 13 ? "debian-13"
				   : "debian-12"; /* the Python that each of them has */
	} else if (python) {
		snprintf(version, sizeof(version), "3");
	}
	base = step_debian(s, base, e);
	if (!base)
		return -1;
	*image = xstrdup(base);
	*setup = NULL;
	if (b->setup) {
		autobuf struct buf text = { 0 };

		for (const char *c = b->setup; *c; c++)
			if (c[0] == '%' && c[1] == 's' && c++)
				buf_adds(&text, version);
			else
				buf_add(&text, c, 1);
		*setup = xstrdup(buf_str(&text));
	}
	return 0;
}

/* Registries on this host and those that the configuration names need no TLS. */
static bool base_is_plain(const struct step *s, const char *full)
{
	size_t n = strcspn(full, "/");

	for (size_t i = 0; i < s->insecure.n; i++)
		if (strlen(s->insecure.v[i]) == n && !memcmp(s->insecure.v[i], full, n))
			return true;
	return !strncmp(full, "localhost:", 10) || !strncmp(full, "127.", 4);
}

static int base_pull(struct step *s, const char *name, const char *full, struct err *e)
{
	autobuf struct buf out = { 0 };
	struct step_argv a;
	int rc;

	printf("doze: pulling %s\n", full);
	step_buildah(s, &a, "pull");
	step_arg(&a, "--quiet");
	step_arg(&a, "--policy=missing");
	if (base_is_plain(s, full))
		step_arg(&a, "--tls-verify=false");
	step_arg(&a, full);
	rc = step_run(&a, &out, NULL, e);
	step_images_forget(s);
	if (rc > 0)
		return step_fail(
			s, "CONTAINER_BUILD_FAILED", e,
			"The container image build failed. The registry of '%s' answers, but "
			"does not give the image (see the build log).",
			name);
	return rc;
}

static int base_unknown(struct step *s, const char *name, struct err *e)
{
	return step_fail(s, "CONTAINER_BUILD_FAILED", e,
			 "The container image build failed. The base image '%s' is not known here "
			 "and %s; `doze base import NAME FILE.tar` brings one in.",
			 name,
			 s->pull ? "its registry does not answer" : "pulling is switched off");
}

static int base_from_outside(struct step *s, const char *name, const char *full, char **image,
			     char **setup, struct err *e)
{
	autofree char *registry = NULL;
	const struct base_name *b;
	const char *version;

	registry = xstrdup(full);
	registry[strcspn(registry, "/")] = '\0';
	if (s->pull && step_answers(s, registry, base_is_plain(s, full))) {
		*image = xstrdup(full);
		*setup = NULL;
		return base_pull(s, name, full, e);
	}
	b = base_find(full, true, &version);
	if (!b)
		return base_unknown(s, name, e);
	if (!s->quiet)
		printf("doze: warning: no registry answers for '%s'; a local base stands in for "
		       "it, which "
		       "may differ\n",
		       name);
	return base_take(s, b, version, image, setup, e);
}

int step_resolve(struct step *s, const char *name, char **image, char **setup, struct err *e)
{
	autofree char *full = base_full_name(name);
	autofree char *local = xasprintf("localhost/%s%s", name,
					 strchr(name, ':') || strchr(name, '@') ? "" : ":latest");
	const char *version;
	const struct base_name *b = base_find(full, false, &version);

	*image = NULL;
	*setup = NULL;
	if (step_images(s, e))
		return -1;
	if (!strchr(name, '/') && step_image_exists(s, local)) { /* imported */
		*image = xstrdup(local);
		return 0;
	}
	if (b)
		return base_take(s, b, version, image, setup, e);
	if (step_image_exists(s, full) || (strchr(name, '@') && step_image_exists(s, name))) {
		*image = xstrdup(full);
		return 0;
	}
	return base_from_outside(s, name, full, image, setup, e);
}
