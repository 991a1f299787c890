/* Finds the image of the store for the name that a Dockerfile gives.
 *
 * A name is looked for at its registry before anything stands in for it.  Registries of the
 * configuration may be on this host or a private network, so a step in the host's network asks
 * them.  All others are named by strangers, so they are asked from a slot, which reaches what a
 * microVM reaches: the steps `base` (host) and `pull` (slot) take turns until each name has an
 * image.  What they know stands in bases.json of the build's directory, which `build` reads. */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/io.h"
#include "image/step_pull.h"

#define BUILD_FAILED "The container image build failed. "

#define RESOLVER "resolv.conf"

#define BASES "bases.json" /* {name: {"image": ..., "next": ...}} */

/* Where the first has no image for this host, the second is asked for one.  A tag keeps what
 * follows these letters. */
static const struct base_other {
	const char *registry, *path, *tag;
	const char *other_path, *other_tag;
} base_others[] = {
	{ "public.ecr.aws", "lambda/microvms", "al2023", "amazonlinux/amazonlinux", "2023" },
};

/* What a name may be found as, in the order in which registries are asked. */
struct base_search {
	struct step *s;
	const char *name; /* as the Dockerfile has it */
	char stored[REFERENCE_MAX];
	struct reference at[4];
	size_t n;
	bool others; /* the last is another image, which is taken for this one */
};

static void base_others_of(struct base_search *b)
{
	const struct reference *first = &b->at[0];

	for (size_t i = 0; i < ARRAY_SIZE(base_others); i++) {
		const struct base_other *o = &base_others[i];
		size_t n = strlen(o->tag);
		struct reference *to = &b->at[b->n];

		if (strcmp(first->registry, o->registry) != 0 ||
		    strcmp(first->path, o->path) != 0 || strncmp(first->tag, o->tag, n) != 0 ||
		    *first->digest)
			continue;
		*to = *first;
		snprintf(to->path, sizeof(to->path), "%s", o->other_path);
		snprintf(to->tag, sizeof(to->tag), "%s%s", o->other_tag, first->tag + n);
		b->n++;
		b->others = true;
		return;
	}
}

static int base_search(struct base_search *b, struct step *s, const char *name, struct err *e)
{
	struct reference unified;
	struct err why;

	*b = (struct base_search){ .s = s, .name = name };
	if (reference_parse(&b->at[0], name, &why))
		return step_fail(s, "CONTAINER_BUILD_FAILED", e,
				 BUILD_FAILED "The base image '%s' has no proper name: %s.", name,
				 why.text);
	b->n = 1;
	if (reference_twin(&b->at[0], &b->at[1]))
		b->n++;
	base_others_of(b);
	unified = b->at[0];
	reference_unify(&unified);
	reference_name(&unified, b->stored);
	return 0;
}

/* An address or a port tells that the registry may be one of the site, which only the operator can
 * let be asked. */
static const char *base_hint(const struct base_search *b)
{
	const char *registry = b->at[0].registry;
	bool of_site = strchr(registry, ':') || isdigit((unsigned char)*registry);

	return of_site && !strcmp(step_pull_network(b->s, &b->at[0]), "slot")
		       ? " (one on a private address needs a section [registry HOST] in doze.ini)"
		       : "";
}

static int base_unknown(const struct base_search *b, struct err *e)
{
	return step_fail(b->s, "CONTAINER_BUILD_FAILED", e,
			 BUILD_FAILED
			 "The base image '%s' is not known here and %s%s; `doze base import NAME "
			 "FILE.tar` brings one in.",
			 b->name,
			 b->s->pull ? "its registry does not answer"
				    : "no registry may be asked ([build] pull)",
			 b->s->pull ? base_hint(b) : "");
}

static int base_stand_in(struct base_search *b, char **image, struct err *e)
{
	struct step *s = b->s;

	if (step_stand_in(s, b->name, b->stored, image, e))
		return -1;
	if (!*image)
		return base_unknown(b, e);
	if (!s->quiet)
		printf("doze: warning: no registry has given '%s'; a local base stands in for it, "
		       "which may differ\n",
		       b->name);
	return 0;
}

/* Where something stands in for the image, builds of a host without a registry need not wait for it
 * each time. */
static bool base_skip(const struct base_search *b, const struct reference *r)
{
	return step_stands_in(b->stored) && step_pull_silent(b->s, r->registry);
}

/* Asks for one after the other.  *next begins where an earlier step has ended, and is where the
 * next one begins.  Returns 1 when the other network's turn has come. */
static int base_ask(struct base_search *b, size_t *next, char **image, struct err *e)
{
	for (; *next < b->n; ++*next) {
		const struct reference *r = &b->at[*next];
		enum registry_answer answer;
		struct err why = { 0 };

		if (base_skip(b, r))
			continue;
		if (strcmp(step_pull_network(b->s, r), b->s->network) != 0)
			return 1;
		answer = step_pull_image(b->s, r, b->stored, image, &why);
		if (answer == REGISTRY_HAS)
			return 0;
		printf("doze: %s\n", why.text);
		if (answer == REGISTRY_FAILS || (answer != REGISTRY_SILENT && !b->others))
			return step_fail(b->s, b->s->code ? b->s->code : "CONTAINER_BUILD_FAILED",
					 e, BUILD_FAILED "The base image '%s' cannot be had: %s.",
					 b->name, why.text);
	}
	return 0;
}

/* Returns true if the store has the image and no registry is to be asked. */
static bool base_here(const struct base_search *b, char **image)
{
	autofree char *mark = step_import_mark(b->stored), *flat = step_flat_name(b->stored);
	autofree char *old =
		xasprintf("localhost/%s%s", b->name, strchr(b->name, ':') ? "" : ":latest");
	const char *name = NULL;
	bool always = b->s->pull && !strcmp(b->s->pull, "always") && b->s->network;

	if (!strchr(b->name, '/') && !strchr(b->name, '@') && step_image_exists(b->s, old))
		name = old; /* as imports were stored before they had registries */
	else if (step_image_exists(b->s, b->stored) &&
		 (step_image_exists(b->s, mark) || !always || *b->at[0].digest))
		name = step_image_exists(b->s, flat) ? flat : b->stored;
	if (name)
		*image = xstrdup(name);
	return name;
}

/* "localhost" without a port is nobody's registry: images of that name are local ones. */
static bool base_is_local(const struct base_search *b)
{
	return !strcmp(b->at[0].registry, "localhost");
}

static int base_find(struct base_search *b, size_t *next, char **image, struct err *e)
{
	struct step *s = b->s;
	int rc = 0;

	if (step_images(s, e))
		return -1;
	if (!*next && base_here(b, image)) {
		if (s->network)
			printf("doze: the store has %s, %s\n", *image,
			       step_image_digest(s, *image));
		return 0;
	}
	if (s->pull && s->network && !base_is_local(b))
		rc = base_ask(b, next, image, e);
	if (rc || *image)
		return rc;
	/* A stand-in may be made of packages from a mirror of the site. */
	if (s->network && strcmp(s->network, "host") != 0)
		return 1;
	return base_stand_in(b, image, e);
}

static void bases_load(struct step *s)
{
	autobuf struct buf text = { 0 };
	autoclose int fd = -1;

	if (s->bases)
		return;
	fd = io_open_below(3, BASES, O_RDONLY, 0);
	if (fd >= 0 && !io_read_all(fd, &text, MIB))
		s->bases = json_loadb((const char *)text.data, text.size, 0, NULL);
	if (!json_is_object(s->bases)) {
		json_decref(s->bases);
		s->bases = json_object();
	}
}

static int bases_save(struct step *s, struct err *e)
{
	autofree char *text = json_dumps(s->bases, JSON_COMPACT);

	return text ? io_replace(3, BASES, text, strlen(text), 0644, e)
		    : err_set(e, ERR_INTERNAL, "write the list of bases");
}

static void base_note(struct step *s, const char *name, const char *image, size_t next)
{
	json_t *known = json_object();

	if (image)
		json_object_set_new(known, "image", json_string(image));
	json_object_set_new(known, "next", json_integer((json_int_t)next));
	json_object_set_new(s->bases, name, known);
	if (!image)
		json_object_set_new(s->result, "other_network", json_true());
}

static bool base_known(const struct step *s, const char *name, char **image, size_t *next)
{
	json_t *known = json_object_get(s->bases, name);
	const char *found = json_string_value(json_object_get(known, "image"));

	*image = found ? xstrdup(found) : NULL;
	*next = (size_t)json_integer_value(json_object_get(known, "next"));
	return found;
}

int step_resolve(struct step *s, const char *name, char **image, struct err *e)
{
	struct base_search b;
	size_t next;
	int rc;

	bases_load(s);
	if (base_known(s, name, image, &next))
		return 0;
	if (base_search(&b, s, name, e))
		return -1;
	rc = base_find(&b, &next, image, e);
	if (rc < 0)
		return -1;
	base_note(s, name, *image, next);
	return bases_save(s, e);
}

/* A slot cannot reach a resolver on the host's loopback. */
static int base_use_resolver(const struct step *s, struct err *e)
{
	autofree char *text = xasprintf("nameserver %s\n", s->dns ? s->dns : "");

	if (!s->dns)
		return 0;
	if (io_replace(3, RESOLVER, text, strlen(text), 0644, e))
		return -1;
	if (mount(RESOLVER, "/etc/resolv.conf", NULL, MS_BIND, NULL))
		return err_sys(e, "give the step a resolver");
	return 0;
}

/* The names are those that `base` has left. */
int step_pull(struct step *s, struct err *e)
{
	bases_load(s);
	if (base_use_resolver(s, e))
		return -1;
	/* What is noted takes the place of a value, which an iteration allows. */
	for (void *at = json_object_iter(s->bases); at; at = json_object_iter_next(s->bases, at)) {
		autofree char *image = NULL;
		autofree char *name = xstrdup(json_object_iter_key(at));

		if (step_resolve(s, name, &image, e))
			return -1;
	}
	return 0;
}

/* No stand-in, and the registry is asked whatever the store has. */
int step_pull_base(struct step *s, struct err *e)
{
	struct base_search b;
	autofree char *image = NULL, *mark = NULL;
	struct err why = { 0 };

	if (s->args.n != 1)
		return err_set(e, ERR_INVALID, "pull needs a name");
	if (base_search(&b, s, s->args.v[0], e) || step_images(s, e) || base_use_resolver(s, e))
		return -1;
	if (base_is_local(&b))
		return step_fail(s, "INVALID", e, "'%s' is a local name, which no registry has.",
				 b.name);
	if (step_pull_image(s, &b.at[0], b.stored, &image, &why) != REGISTRY_HAS)
		return step_fail(s, "INVALID", e, "'%s' cannot be had: %s.", b.name, why.text);
	mark = step_import_mark(b.stored);
	return step_untag(s, mark, e);
}
