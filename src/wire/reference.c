#include "wire/reference.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGIT "0123456789"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

#define DOCKER   "docker.io"
#define OFFICIAL "library/"
#define TWIN     "public.ecr.aws"
#define TWIN_DIR "docker/library/"

/* A part of the text that is being read. */
struct span {
	const char *at;
	size_t n;
};

static bool span_is(struct span s, const char *text)
{
	return s.n == strlen(text) && !memcmp(s.at, text, s.n);
}

static bool span_only(struct span s, const char *set)
{
	for (size_t i = 0; i < s.n; i++)
		if (!s.at[i] || !strchr(set, s.at[i]))
			return false;
	return true;
}

static bool span_take(struct span s, char *to, size_t room)
{
	if (s.n >= room)
		return false;
	memcpy(to, s.at, s.n);
	to[s.n] = '\0';
	return true;
}

#define SPAN(s) (int)(s).n, (s).at

static int reference_refuse(struct err *e, const char *part, struct span s, const char *why)
{
	return err_set(e, ERR_INVALID, "the %s '%.*s' %s", part, SPAN(s), why);
}

/* Docker's rule: what stands before the first slash is a registry if it cannot be a directory. */
static bool reference_is_registry(struct span s)
{
	if (span_is(s, "localhost"))
		return true;
	for (size_t i = 0; i < s.n; i++)
		if (s.at[i] == '.' || s.at[i] == ':' || isupper((unsigned char)s.at[i]))
			return true;
	return false;
}

/* Labels of letters, digits and inner hyphens between dots. */
static bool reference_host_valid(struct span s)
{
	char before = '.';

	for (size_t i = 0; i < s.n; i++) {
		char c = s.at[i];
		bool edge = before == '.' || i + 1 == s.n || s.at[i + 1] == '.';

		if (!strchr(LOWER UPPER DIGIT "-.", c) || !c)
			return false;
		if (edge && (c == '-' || (c == '.' && (before == '.' || i + 1 == s.n))))
			return false;
		before = c;
	}
	return s.n;
}

static size_t reference_host_size(struct span s)
{
	size_t n = 0;

	if (s.n && s.at[0] == '[')
		while (n < s.n && s.at[n] != ']')
			n++;
	while (n < s.n && s.at[n] != ':')
		n++;
	return n;
}

/* A host without dots and a port is known for a registry by its capital letters alone. */
static void reference_lower(char *registry)
{
	if (!strpbrk(registry, ".:") && strcasecmp(registry, "localhost") != 0)
		return;
	for (; *registry; registry++)
		*registry = (char)tolower((unsigned char)*registry);
}

static int reference_registry(struct reference *r, struct span s, struct err *e)
{
	struct span host = { s.at, reference_host_size(s) };
	struct span port = { s.at + host.n, s.n - host.n };
	bool v6 = host.n > 2 && host.at[0] == '[' && host.at[host.n - 1] == ']' &&
		  span_only((struct span){ host.at + 1, host.n - 2 }, "abcdefABCDEF" DIGIT ":");
	unsigned long number = 0;

	if (!v6 && !reference_host_valid(host))
		return reference_refuse(e, "registry", s, "is no host name");
	if (port.n) {
		for (size_t i = 1; i < port.n && i < 7; i++)
			number = number * 10 + (unsigned long)(port.at[i] - '0');
		if (port.n < 2 || port.n > 6 ||
		    !span_only((struct span){ port.at + 1, port.n - 1 }, DIGIT) || !number ||
		    number > 65535)
			return reference_refuse(e, "registry", s,
						"has a port that is no number from 1 to 65535");
	}
	if (!span_take(s, r->registry, sizeof(r->registry)))
		return reference_refuse(e, "registry", s, "is too long");
	reference_lower(r->registry);
	if (!strcmp(r->registry, "index.docker.io") || !strcmp(r->registry, "registry-1.docker.io"))
		strcpy(r->registry, DOCKER);
	return 0;
}

/* One directory: letters and digits, and between them one '.', one or two '_', or hyphens. */
static bool reference_component_valid(struct span s)
{
	size_t i = 0;

	for (;;) {
		size_t word = i, gap;

		while (i < s.n &&
		       (islower((unsigned char)s.at[i]) || isdigit((unsigned char)s.at[i])))
			i++;
		if (i == word)
			return false;
		if (i == s.n)
			return true;
		for (gap = i; i < s.n && s.at[i] == s.at[gap] && strchr("._-", s.at[i]); i++)
			;
		if (i == gap || (s.at[gap] == '.' && i - gap > 1) ||
		    (s.at[gap] == '_' && i - gap > 2))
			return false;
	}
}

static const char *reference_component_fault(struct span s)
{
	if (!s.n)
		return "has a slash too many";
	for (size_t i = 0; i < s.n; i++)
		if (isupper((unsigned char)s.at[i]))
			return "has a capital letter, which only a registry or a tag may have";
	if (!span_only(s, LOWER DIGIT "._-"))
		return "has a character other than a-z, 0-9, '.', '_' and '-'";
	return "has '.', '_' or '-' at an end or in a row";
}

static int reference_path(struct reference *r, struct span s, struct err *e)
{
	bool bare = !memchr(s.at, '/', s.n) && !strcmp(r->registry, DOCKER);
	struct span rest = s;

	for (;;) {
		const char *slash = memchr(rest.at, '/', rest.n);
		struct span one = { rest.at, slash ? (size_t)(slash - rest.at) : rest.n };

		if (!reference_component_valid(one))
			return reference_refuse(e, "name", s, reference_component_fault(one));
		if (!slash)
			break;
		rest.n -= one.n + 1;
		rest.at = slash + 1;
	}
	if (strlen(r->registry) + s.n + (bare ? sizeof(OFFICIAL) : 1) > 255)
		return reference_refuse(e, "name", s, "is longer than 255 characters");
	snprintf(r->path, sizeof(r->path), "%s%.*s", bare ? OFFICIAL : "", SPAN(s));
	return 0;
}

static int reference_tag(struct reference *r, struct span s, struct err *e)
{
	if (!s.n)
		return err_set(e, ERR_INVALID, "there is no tag behind the ':'");
	if (!span_only(s, LOWER UPPER DIGIT "_.-") || s.at[0] == '.' || s.at[0] == '-')
		return reference_refuse(e, "tag", s,
					"is not made of letters, digits, '_', '.' and '-'");
	if (!span_take(s, r->tag, sizeof(r->tag)))
		return reference_refuse(e, "tag", s, "is longer than 128 characters");
	return 0;
}

static int reference_digest(struct reference *r, struct span s, struct err *e)
{
	static const char kind[] = "sha256:";
	const size_t skip = sizeof(kind) - 1;

	if (s.n != skip + 64 || memcmp(s.at, kind, skip) != 0 ||
	    !span_only((struct span){ s.at + skip, 64 }, DIGIT "abcdef"))
		return reference_refuse(e, "digest", s, "is not 'sha256:' with 64 hex digits");
	return span_take(s, r->digest, sizeof(r->digest)) ? 0 : -1;
}

/* Cuts what follows the last @mark off @s; false if there is no such mark. */
static bool reference_cut(struct span *s, char mark, struct span *tail)
{
	const char *at = memrchr(s->at, mark, s->n);

	if (!at)
		return false;
	*tail = (struct span){ at + 1, s->n - (size_t)(at - s->at) - 1 };
	s->n = (size_t)(at - s->at);
	return true;
}

int reference_parse(struct reference *r, const char *text, struct err *e)
{
	struct span s = { text, strnlen(text, REFERENCE_MAX) }, part;
	const char *slash;

	*r = (struct reference){ .registry = DOCKER };
	if (!s.n)
		return err_set(e, ERR_INVALID, "it is empty");
	if (s.n == REFERENCE_MAX)
		return err_set(e, ERR_INVALID, "it is longer than %d characters",
			       REFERENCE_MAX - 1);
	if (reference_cut(&s, '@', &part) && reference_digest(r, part, e))
		return -1;
	slash = memchr(s.at, '/', s.n);
	part = (struct span){ s.at, slash ? (size_t)(slash - s.at) : 0 };
	if (slash && reference_is_registry(part)) {
		if (reference_registry(r, part, e))
			return -1;
		s = (struct span){ slash + 1, s.n - part.n - 1 };
	}
	slash = memrchr(s.at, '/', s.n);
	if (memchr(slash ? slash : s.at, ':', s.n - (slash ? (size_t)(slash - s.at) : 0))) {
		reference_cut(&s, ':', &part);
		if (reference_tag(r, part, e))
			return -1;
	} else if (!*r->digest) {
		strcpy(r->tag, "latest");
	}
	return reference_path(r, s, e);
}

void reference_name(const struct reference *r, char to[REFERENCE_MAX])
{
	snprintf(to, REFERENCE_MAX, "%s/%s%s%s", r->registry, r->path, *r->digest ? "@" : ":",
		 *r->digest ? r->digest : r->tag);
}

void reference_familiar(const struct reference *r, char to[REFERENCE_MAX])
{
	const char *slash = strchr(r->path, '/');
	struct span first = { r->path, slash ? (size_t)(slash - r->path) : 0 };
	/* "docker.io/a.b/c" without its registry would name the registry "a.b". */
	bool docker = !strcmp(r->registry, DOCKER) && !reference_is_registry(first);
	bool official = docker && !strncmp(r->path, OFFICIAL, strlen(OFFICIAL)) &&
			!strchr(r->path + strlen(OFFICIAL), '/');
	bool tagged = *r->tag && (strcmp(r->tag, "latest") != 0 || *r->digest);

	snprintf(to, REFERENCE_MAX, "%s%s%s%s%s%s%s", docker ? "" : r->registry, docker ? "" : "/",
		 r->path + (official ? strlen(OFFICIAL) : 0), tagged ? ":" : "",
		 tagged ? r->tag : "", *r->digest ? "@" : "", r->digest);
}

/* The name behind @dir if the image is at @registry in that directory, else NULL. */
static const char *reference_below(const struct reference *r, const char *registry, const char *dir)
{
	if (strcmp(r->registry, registry) != 0 || strncmp(r->path, dir, strlen(dir)) != 0 ||
	    strchr(r->path + strlen(dir), '/'))
		return NULL;
	return r->path + strlen(dir);
}

bool reference_twin(const struct reference *r, struct reference *to)
{
	const char *official = reference_below(r, DOCKER, OFFICIAL);
	const char *twin = reference_below(r, TWIN, TWIN_DIR);

	if (!official && !twin)
		return false;
	*to = *r;
	strcpy(to->registry, official ? TWIN : DOCKER);
	snprintf(to->path, sizeof(to->path), "%s%s", official ? TWIN_DIR : OFFICIAL,
		 official ? official : twin);
	return true;
}

void reference_unify(struct reference *r)
{
	const struct reference from = *r;

	if (reference_below(&from, TWIN, TWIN_DIR))
		(void)reference_twin(&from, r);
}
