/* What stands in for a base image where no registry answers: a Debian that answers to dnf, with
 * what the name asks for. */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/step.h"

/* A name matches up to the pattern's '*', and `setup` may use the version in that place. */
static const struct base_name {
	const char *pattern, *base;
	const char *setup; /* %s: the version */
} base_names[] = {
	{ "public.ecr.aws/lambda/microvms:al2023*", "debian-12", NULL },
	{ "docker.io/library/debian:bookworm*", "debian-12", NULL },
	{ "docker.io/library/debian:12*", "debian-12", NULL },
	{ "docker.io/library/debian:trixie*", "debian-13", NULL },
	{ "docker.io/library/debian:13*", "debian-13", NULL },
	{ "docker.io/library/debian:stable*", "debian-13", NULL },
	{ "docker.io/library/debian:latest*", "debian-13", NULL },
	{ "docker.io/library/debian:*", "debian-12", NULL },
	{ "docker.io/library/amazonlinux:*", "debian-12", NULL },
	{ "public.ecr.aws/amazonlinux/amazonlinux:2023*", "debian-12", NULL },
	{ "docker.io/library/python:*", "python",
	  "RUN dnf install -y python%s python%s-pip && ln -sf /usr/bin/python3 "
	  "/usr/local/bin/python "
	  "&& dnf clean all\nCMD [\"python3\"]" },
	{ "docker.io/library/node:*", "debian-12",
	  "RUN dnf install -y nodejs%s && dnf clean all\nCMD [\"node\"]" },
};

static const struct base_name *base_find(const char *full, const char **version)
{
	for (size_t i = 0; i < ARRAY_SIZE(base_names); i++) {
		size_t n = strcspn(base_names[i].pattern, "*");

		*version = full + n;
		if (!strncmp(full, base_names[i].pattern, n))
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

bool step_stands_in(const char *name)
{
	const char *version;

	return base_find(name, &version);
}

int step_stand_in(struct step *s, const char *name, char **image, char **setup, struct err *e)
{
	const char *version;
	const struct base_name *b = base_find(name, &version);

	*image = NULL;
	*setup = NULL;
	return b ? base_take(s, b, version, image, setup, e) : 0;
}
