#include "image/stand_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTS   3 /* of a version that are compared: major, minor, patch */
#define DEFAULT "debian-12"

struct release {
	const char *version; /* as precise as the choice has to be; "": any */
	const char *base;    /* NULL: the default, or what the tag or the Dockerfile asks for */
};

/* The releases stand in rising order. */
static const struct release any[] = { { "", NULL }, { 0 } };
static const struct release amazon[] = { { "2023", NULL }, { 0 } };
static const struct release debian[] = {
	{ "12", "debian-12" },
	{ "13", "debian-13" },
	{ 0 },
};
static const struct release ubuntu[] = {
	{ "22.04", "ubuntu-22.04" },
	{ "24.04", "ubuntu-24.04" },
	{ "26.04", "ubuntu-26.04" },
	{ 0 },
};
static const struct release python[] = {
	{ "3.10", "ubuntu-22.04" }, { "3.11", "debian-12" },    { "3.12", "ubuntu-24.04" },
	{ "3.13", "debian-13" },    { "3.14", "ubuntu-26.04" }, { 0 },
};
static const struct release go[] = {
	{ "1.19", "debian-12" },
	{ "1.24", "debian-13" },
	{ "1.26", "ubuntu-26.04" },
	{ 0 },
};
static const struct release java[] = {
	{ "8", "ubuntu-22.04" }, { "11", "ubuntu-22.04" }, { "17", "debian-12" },
	{ "21", "debian-13" },   { "25", "debian-13" },    { 0 },
};
static const struct release ruby[] = {
	{ "3.1", "debian-12" },
	{ "3.2", "ubuntu-24.04" },
	{ "3.3", "debian-13" },
	{ 0 },
};
static const struct release nginx[] = {
	{ "1.22", "debian-12" },
	{ "1.26", "debian-13" },
	{ "1.28", "ubuntu-26.04" },
	{ 0 },
};
static const struct release httpd[] = { { "2.4", NULL }, { 0 } };
static const struct release redis[] = {
	{ "7.0", "debian-12" },
	{ "8.0", "debian-13" },
	{ 0 },
};
static const struct release php[] = {
	{ "8.1", "ubuntu-22.04" }, { "8.2", "debian-12" },    { "8.3", "ubuntu-24.04" },
	{ "8.4", "debian-13" },    { "8.5", "ubuntu-26.04" }, { 0 },
};
static const struct release postgres[] = {
	{ "14", "ubuntu-22.04" }, { "15", "debian-12" },    { "16", "ubuntu-24.04" },
	{ "17", "debian-13" },    { "18", "ubuntu-26.04" }, { 0 },
};

enum stand_in_kind {
	PLAIN,
	DNF, /* its base has the dnf front */
	OURS /* DNF, and no registry is asked first */
};

/* clang-format off */
static const struct stand_in {
	const char *repository, *title, *recipe;
	const char *latest; /* what a tag without a number means */
	enum stand_in_kind kind;
	const struct release *releases;
} stand_ins[] = {
	{ "public.ecr.aws/lambda/microvms",         "Amazon Linux", NULL,             "2023",  OURS,  amazon },
	{ "public.ecr.aws/amazonlinux/amazonlinux", "Amazon Linux", NULL,             "2023",  DNF,   amazon },
	{ "docker.io/library/amazonlinux",          "Amazon Linux", NULL,             "2023",  DNF,   amazon },
	{ "docker.io/library/debian",               "Debian",       NULL,             "13",    PLAIN, debian },
	{ "docker.io/library/ubuntu",               "Ubuntu",       NULL,             "26.04", PLAIN, ubuntu },
	{ "docker.io/library/buildpack-deps",       "Debian",       "buildpack-deps", "13",    PLAIN, debian },
	{ "docker.io/library/python",               "Python",       "python",         "3.13",  PLAIN, python },
	{ "docker.io/library/node",                 "Node",         "node",           "24",    PLAIN, any },
	{ "docker.io/library/golang",               "Go",           "golang",         "1.24",  PLAIN, go },
	{ "docker.io/library/eclipse-temurin",      "Java",         "java",           "21",    PLAIN, java },
	{ "docker.io/library/openjdk",              "Java",         "java",           "21",    PLAIN, java },
	{ "docker.io/library/amazoncorretto",       "Java",         "java",           "21",    DNF,   java },
	{ "docker.io/library/ruby",                 "Ruby",         "ruby",           "3.3",   PLAIN, ruby },
	{ "docker.io/library/nginx",                "nginx",        "nginx",          "1.26",  PLAIN, nginx },
	{ "docker.io/library/httpd",                "Apache httpd", "httpd",          "2.4",   PLAIN, httpd },
	{ "docker.io/library/php",                  "PHP",          "php",            "8.4",   PLAIN, php },
	{ "docker.io/library/postgres",             "PostgreSQL",   "postgres",       "17",    PLAIN, postgres },
	{ "docker.io/library/redis",                "Redis",        "redis",          "8.0",   PLAIN, redis },
};
/* clang-format on */

/* Words of tags that mean a version. */
static const struct alias {
	const char *title, *word, *version;
} aliases[] = {
	{ "Debian", "buster", "10" },   { "Debian", "bullseye", "11" },
	{ "Debian", "bookworm", "12" }, { "Debian", "oldstable", "12" },
	{ "Debian", "trixie", "13" },   { "Debian", "stable", "13" },
	{ "Debian", "forky", "14" },    { "Debian", "testing", "14" },
	{ "Debian", "sid", "15" },      { "Debian", "unstable", "15" },
	{ "Ubuntu", "focal", "20.04" }, { "Ubuntu", "jammy", "22.04" },
	{ "Ubuntu", "noble", "24.04" }, { "Ubuntu", "resolute", "26.04" },
	{ "Node", "lts", "24" },        { "Node", "krypton", "24" },
	{ "Node", "jod", "22" },        { "Node", "iron", "20" },
	{ "Node", "hydrogen", "18" },   { "Node", "current", "26" },
	{ "Node", "latest", "26" },     { "Amazon Linux", "al2023", "2023" },
	{ "Amazon Linux", "al2", "2" },
};

/* Words of tags that mean a base, where any base will do. */
static const char *const suites[][2] = {
	{ "bookworm", "debian-12" },
	{ "trixie", "debian-13" },
};

/* What begins a word of a tag for a system that nothing here is like. */
static const char *const others[][2] = {
	{ "alpine", "Alpine (musl, apk)" }, { "musl", "a system with musl" },
	{ "windowsservercore", "Windows" }, { "nanoserver", "Windows" },
	{ "ubi", "Red Hat's base" },        { "oraclelinux", "Oracle Linux" },
};

/* Words in a Dockerfile for Amazon Linux, each followed by a version of these releases. */
static const struct {
	const char *word;
	const struct release *releases;
} amazon_words[] = {
	{ "python3.", python }, { "java-", java },          { "php8.", php },
	{ "ruby3.", ruby },     { "postgresql", postgres },
};

struct version {
	unsigned long part[PARTS];
	size_t n;
};

/* Reads "3.12.4" and stops behind it. A number of more than nine digits is none. */
static const char *version_read(const char *text, struct version *v)
{
	*v = (struct version){ 0 };
	for (;;) {
		size_t digits = strspn(text, "0123456789");

		if (!digits || digits > 9)
			return text;
		if (v->n < PARTS)
			v->part[v->n++] = strtoul(text, NULL, 10);
		text += digits;
		if (*text != '.')
			return text;
		text++;
	}
}

/* Compares as many parts as both have. */
static int version_compare(const struct version *a, const struct version *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (a->part[i] != b->part[i])
			return a->part[i] < b->part[i] ? -1 : 1;
	return 0;
}

static const struct stand_in *stand_in_find(const char *repository, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(stand_ins); i++)
		if (strlen(stand_ins[i].repository) == size &&
		    !memcmp(stand_ins[i].repository, repository, size))
			return &stand_ins[i];
	return NULL;
}

static const char *stand_in_alias(const struct stand_in *s, const char *word, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (!strcmp(aliases[i].title, s->title) && strlen(aliases[i].word) == size &&
		    !memcmp(aliases[i].word, word, size))
			return aliases[i].version;
	return NULL;
}

static const char *stand_in_other(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (!strncmp(word, others[i][0], strlen(others[i][0])))
			return others[i][1];
	return NULL;
}

/* Splits "3.12.4-slim-bookworm" into a version and words. */
static int stand_in_tag(const struct stand_in *s, const char *tag, struct version *v,
			struct stand_in_choice *c, struct err *e)
{
	const char *at = version_read(tag, v), *named;
	size_t used = 0;

	if (v->n)
		at += strcspn(at, "-"); /* "17.0.9_9", "8u402": what follows is a patch */
	for (at += strspn(at, "-"); *at; at += strspn(at, "-")) {
		size_t size = strcspn(at, "-");

		if (stand_in_other(at))
			return err_set(e, ERR_NOT_FOUND, "nothing here is like %s",
				       stand_in_other(at));
		named = v->n ? NULL : stand_in_alias(s, at, size);
		if (named)
			version_read(named, v);
		else if (used + size + 2 < sizeof(c->words))
			used += (size_t)sprintf(c->words + used, "%s%.*s", used ? " " : "",
						(int)size, at);
		at += size;
	}
	if (!v->n)
		version_read(s->latest, v);
	return 0;
}

/* The best release of the row: the one asked for, else the next newer one of its major version,
 * else with @older the newest of those that are older. */
static const struct release *release_choose(const struct release *r, const char *tags_mean,
					    const struct version *v, const char *without,
					    bool older, bool *exact)
{
	const struct release *newer = NULL, *below = NULL, *same = NULL;
	struct version latest;

	version_read(tags_mean, &latest);
	for (; r->version; r++) {
		struct version have;
		int order;

		if (without && r->base && !strcmp(r->base, without))
			continue;
		version_read(r->version, &have);
		order = version_compare(&have, v);
		/* "3" means the same as no number at all as long as that is a 3. */
		if (!order && (!same || version_compare(&have, &latest) <= 0))
			same = r;
		if (order > 0 && !newer && have.part[0] == v->part[0])
			newer = r;
		if (order < 0)
			below = r;
	}
	*exact = same;
	return same ? same : newer ? newer : older ? below : NULL;
}

static int stand_in_refuse(const struct stand_in *s, const struct version *v, const char *without,
			   struct err *e)
{
	bool exact;
	const struct release *below =
		release_choose(s->releases, s->latest, v, without, true, &exact);

	if (below)
		return err_set(e, ERR_NOT_FOUND,
			       "only the older %s %s is here ([build] stand_in_older = 1 takes it)",
			       s->title, below->version);
	return err_set(e, ERR_NOT_FOUND, "no %s of that version is here", s->title);
}

static void stand_in_print(const struct version *v, size_t most, char *to, size_t room)
{
	int n = 0;

	*to = '\0';
	for (size_t i = 0; i < v->n && i < most; i++)
		n += snprintf(to + n, room - (size_t)n, "%s%lu", i ? "." : "", v->part[i]);
}

static const char *stand_in_suite(const struct stand_in *s, const char *words,
				  const char *amazon_base)
{
	for (size_t i = 0; s->kind == PLAIN && i < ARRAY_SIZE(suites); i++)
		if (strstr(words, suites[i][0]))
			return suites[i][1];
	return s->kind != PLAIN && amazon_base ? amazon_base : DEFAULT;
}

int stand_in_choose(const char *full, const char *amazon_base, const char *without, bool older,
		    struct stand_in_choice *c, struct err *e)
{
	size_t size = strcspn(full, ":@");
	const struct stand_in *s = stand_in_find(full, size);
	const struct release *r;
	struct version asked;

	*c = (struct stand_in_choice){ 0 };
	if (!s)
		return 0;
	if (strchr(full, '@'))
		return err_set(e, ERR_NOT_FOUND, "nothing can stand in for a digest");
	if (stand_in_tag(s, full + size + strspn(full + size, ":"), &asked, c, e))
		return -1;
	r = release_choose(s->releases, s->latest, &asked, without, older, &c->exact);
	if (!r)
		return stand_in_refuse(s, &asked, without, e);
	c->title = s->title;
	c->recipe = s->recipe;
	c->amazon = s->kind != PLAIN;
	c->ours = s->kind == OURS;
	c->base = r->base ? r->base : stand_in_suite(s, c->words, amazon_base);
	if (*r->version)
		snprintf(c->version, sizeof(c->version), "%s", r->version);
	else
		stand_in_print(&asked, PARTS, c->version, sizeof(c->version));
	return 1;
}

/* The base that has the version which is named there; NULL if the default is as good. */
static const char *stand_in_named(const struct release *releases, const char *at)
{
	const struct release *r = NULL;
	struct version asked, have;
	bool exact = false;

	version_read(at, &asked);
	if (asked.n)
		r = release_choose(releases, "", &asked, NULL, true, &exact);
	for (const struct release *each = releases; r && !exact && each->version; each++) {
		if (strcmp(each->base, DEFAULT) != 0)
			continue;
		version_read(each->version, &have);
		if (version_compare(&have, &asked) > 0)
			return NULL;
	}
	return r ? r->base : NULL;
}

const char *stand_in_scan(const char *dockerfile)
{
	for (size_t i = 0; i < ARRAY_SIZE(amazon_words); i++) {
		const char *word = amazon_words[i].word, *point = strchr(word, '.');
		size_t version = point ? strlen(word) - 2 : strlen(word); /* "3." is part of it */

		for (const char *at = strstr(dockerfile, word); at; at = strstr(at + 1, word)) {
			const char *base = stand_in_named(amazon_words[i].releases, at + version);

			if (base)
				return base;
		}
	}
	return DEFAULT;
}
