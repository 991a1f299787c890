/* reader.c - reads doze.ini into struct conf, by the table of keys.h. */

#include "conf/conf.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "conf/awake.h"
#include "conf/guest_names.h"
#include "conf/keys.h"
#include "conf/kms_key.h"
#include "conf/listen.h"
#include "conf/role.h"

/* NULL if the text may be anything. */
static const struct conf_words *conf_words_of(const struct conf_key *k)
{
	for (size_t i = 0; i < conf_n_words; i++)
		if (!strcmp(conf_words[i].section, k->section) &&
		    !strcmp(conf_words[i].name, k->name))
			return &conf_words[i];
	return NULL;
}

static const char *conf_word(const struct conf_words *w, const char *value)
{
	const char *words = w->words;
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(w->old); i++)
		if (w->old[i][0] && !strcmp(w->old[i][0], value))
			return w->old[i][1];
	for (; *words; words += n + strspn(words + n, " ")) {
		n = strcspn(words, " ");
		if (strlen(value) == n && !memcmp(words, value, n))
			return value;
	}
	return NULL;
}

/* A line of the file has less than 200 characters, so what is longer stands in several, whose
 * values are one. */
static bool conf_joins(const struct conf_key *k)
{
	return !strcmp(k->section, "network") && !strcmp(k->name, "hosts");
}

static int conf_set_text(char *at, const struct conf_key *k, const char *value, struct err *e)
{
	const struct conf_words *words = conf_words_of(k);
	const char *given = value;
	autofree char *joined = NULL;

	if (conf_joins(k) && *at)
		value = joined = xasprintf("%s; %s", at, value);
	if (words)
		value = conf_word(words, value);
	if (!value)
		return err_set(e, ERR_INVALID, "[%s] %s = '%s': give one of: %s", k->section,
			       k->name, given, words->words);
	if (strlen(value) >= k->size)
		return err_set(e, ERR_INVALID, "[%s] %s is longer than %zu characters", k->section,
			       k->name, k->size - 1);
	memcpy(at, value, strlen(value) + 1);
	return 0;
}

/* @in is the struct that the key's table is about. */
static int conf_set(void *in, const struct conf_key *k, const char *value, struct err *e)
{
	char *at = (char *)in + k->offset;
	char *end;
	long long number;

	if (k->kind == CONF_STRING)
		return conf_set_text(at, k, value, e);
	errno = 0;
	number = strtoll(value, &end, 10);
	if (errno || end == value || *end || number < k->low || number > k->high)
		return err_set(e, ERR_INVALID, "[%s] %s = '%s': give a number from %lld to %lld",
			       k->section, k->name, value, (long long)k->low, (long long)k->high);
	memcpy(at, &(int64_t){ number }, sizeof(int64_t));
	return 0;
}

/* The name behind the prefix of a section, in lower case.  False: it is too long or empty. */
static bool conf_section_name(char *to, size_t size, const char *name)
{
	size_t i;

	if (!*name || strlen(name) >= size)
		return false;
	for (i = 0; name[i]; i++)
		to[i] = (char)tolower((unsigned char)name[i]);
	to[i] = '\0';
	return true;
}

/* The struct of that section, which may be a new one. */
static void *conf_registry(struct conf *c, const char *section, struct err *e)
{
	char host[CONF_TEXT];

	if (section[strcspn(section, "/ ")] || !conf_section_name(host, sizeof(host), section)) {
		err_set(e, ERR_INVALID,
			"[" REGISTRY "%s]: a registry is host or host:port, without a path",
			section);
		return NULL;
	}
	for (size_t i = 0; i < c->n_registries; i++)
		if (!strcmp(c->registries[i].host, host))
			return &c->registries[i];
	if (c->n_registries == CONF_REGISTRIES) {
		err_set(e, ERR_INVALID, "[" REGISTRY "%s]: there are more than %d registries",
			section, CONF_REGISTRIES);
		return NULL;
	}
	memcpy(c->registries[c->n_registries].host, host, sizeof(host));
	return &c->registries[c->n_registries++];
}

static void *conf_certificate(struct conf *c, const char *section, struct err *e)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
	char domain[CONF_TEXT] = "";

	if (!strncmp(section, "*.", 2))
		section += 2;
	if (!conf_section_name(domain, sizeof(domain), section) ||
	    domain[strspn(domain, letters)]) {
		err_set(e, ERR_INVALID, "[" CERTIFICATE "%s]: give a domain", section);
		return NULL;
	}
	for (size_t i = 0; i < c->n_certificates; i++)
		if (!strcmp(c->certificates[i].domain, domain))
			return &c->certificates[i];
	if (c->n_certificates == CONF_CERTIFICATES) {
		err_set(e, ERR_INVALID, "[" CERTIFICATE "%s]: there are more than %d certificates",
			section, CONF_CERTIFICATES);
		return NULL;
	}
	memcpy(c->certificates[c->n_certificates].domain, domain, sizeof(domain));
	return &c->certificates[c->n_certificates++];
}

/* Keys whose section has a name behind it, and the struct that they are about. */
static const struct conf_named {
	const char *prefix;
	const struct conf_key *keys;
	size_t n;
	void *(*in)(struct conf *c, const char *name, struct err *e);
} conf_named[] = {
	{ REGISTRY, conf_registry_keys, ARRAY_SIZE(conf_registry_keys), conf_registry },
	{ ROLE, conf_role_keys, ARRAY_SIZE(conf_role_keys), conf_role },
	{ CERTIFICATE, conf_certificate_keys, ARRAY_SIZE(conf_certificate_keys), conf_certificate },
	{ KMS_KEY, conf_kms_key_keys, ARRAY_SIZE(conf_kms_key_keys), conf_kms_key },
};

/* NULL: it is a section without one. */
static const struct conf_named *conf_named_section(const char *section)
{
	for (size_t i = 0; i < ARRAY_SIZE(conf_named); i++)
		if (!strncmp(section, conf_named[i].prefix, strlen(conf_named[i].prefix)))
			return &conf_named[i];
	return NULL;
}

static const struct conf_key *conf_find(const char *section, const char *name)
{
	const struct conf_named *named = conf_named_section(section);

	for (size_t i = 0; i < conf_n_keys; i++)
		if (!strcmp(conf_keys[i].section, section) && !strcmp(conf_keys[i].name, name))
			return &conf_keys[i];
	for (size_t i = 0; named && i < named->n; i++)
		if (!strcmp(named->keys[i].name, name))
			return &named->keys[i];
	return NULL;
}

static void conf_instance_dir(char *to, size_t size, const char *stem, const char *instance)
{
	snprintf(to, size, "%s%s%s", stem, *instance ? "-" : "", instance);
}

void conf_defaults(struct conf *c, const char *instance)
{
	struct err e;

	*c = (struct conf){ 0 };
	for (size_t i = 0; i < conf_n_keys; i++)
		if (conf_set(c, &conf_keys[i], conf_keys[i].fallback, &e))
			abort(); /* the table contradicts itself */
	snprintf(c->instance, sizeof(c->instance), "%s", instance);
	snprintf(c->users_prefix, sizeof(c->users_prefix), "doze");
	conf_instance_dir(c->etc_dir, sizeof(c->etc_dir), "/etc/doze", instance);
	conf_instance_dir(c->data_dir, sizeof(c->data_dir), "/var/lib/doze", instance);
	conf_instance_dir(c->run_dir, sizeof(c->run_dir), "/run/doze", instance);
	conf_instance_dir(c->log_dir, sizeof(c->log_dir), "/var/log/doze", instance);
}

struct conf_reading {
	struct conf *conf;
	const char *file;
	struct err *e;
	bool failed;
	FILE *from;
	char section[CONF_TEXT];
};

/* The parser cuts a section's name after 49 characters, so this keeps the whole of it. */
static char *conf_next_line(char *line, int room, void *arg)
{
	struct conf_reading *r = arg;

	if (!fgets(line, room, r->from))
		return NULL;
	if (*line != '[')
		return line;
	snprintf(r->section, sizeof(r->section), "%.*s", (int)strcspn(line + 1, "]"), line + 1);
	/* A role needs no key. */
	if (!r->failed && !strncmp(r->section, ROLE, strlen(ROLE)) &&
	    !conf_role(r->conf, r->section + strlen(ROLE), r->e)) {
		err_wrap(r->e, "%s", r->file);
		r->failed = true;
	}
	return line;
}

static int conf_line(void *arg, const char *section, const char *name, const char *value)
{
	struct conf_reading *r = arg;
	const struct conf_key *k = conf_find(section, name);
	void *in = r->conf;
	bool wrong;

	if (r->failed)
		return 0;
	if (!strncmp(r->section, section, strlen(section)))
		section = r->section;
	if (!k) {
		err_set(r->e, ERR_INVALID,
			"%s: there is no key '%s' in [%s]; doze.ini(5) lists all", r->file, name,
			section);
		r->failed = true;
		return 0;
	}
	if (conf_named_section(section))
		in = conf_named_section(section)->in(r->conf, strchr(section, ' ') + 1, r->e);
	wrong = !in || conf_set(in, k, value, r->e);
	if (wrong)
		err_wrap(r->e, "%s", r->file);
	r->failed = wrong;
	return !wrong;
}

/* What one row of the table cannot say. */
static int conf_check(const struct conf *c, const char *name, struct err *e)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-.:";
	struct listen_addresses addresses;

	if (listen_read(c->listen, &addresses, e))
		return err_wrap(e, "%s: [service] listen", name);
	if (c->api_name[strspn(c->api_name, letters)])
		return err_set(e, ERR_INVALID,
			       "%s: [service] api_name: '%s' is no name of a host: give a name of "
			       "a-z, 0-9, '-' and '.', or an address",
			       name, c->api_name);
	if (guest_names_check(c->search, c->hosts, e))
		return err_wrap(e, "%s", name);
	for (size_t i = 0; i < c->n_roles; i++)
		if (conf_check_role(&c->roles[i], name, e))
			return -1;
	return awake_check_list(c->awake, e) ? err_wrap(e, "%s: [limits] awake", name) : 0;
}

int conf_read(struct conf *c, int fd, const char *name, struct err *e)
{
	struct conf_reading r = { .conf = c, .file = name, .e = e };
	bool broken;
	int line;

	if (fd < 0)
		return 0;
	r.from = fdopen(dup(fd), "r");
	if (!r.from)
		return err_sys(e, "read '%s'", name);
	line = ini_parse_stream(conf_next_line, &r, conf_line, &r);
	broken = ferror(r.from); /* to the parser that is the end of the r.from */
	if (broken)
		err_sys(e, "read '%s'", name);
	fclose(r.from);
	if (broken)
		return -1;
	if (r.failed)
		return -1;
	if (line)
		return err_set(e, ERR_INVALID, "%s:%d: not a line of 'key = value' or [section]",
			       name, line);
	return conf_check(c, name, e);
}

size_t conf_n_rows(void)
{
	size_t n = conf_n_keys;

	for (size_t i = 0; i < ARRAY_SIZE(conf_named); i++)
		n += conf_named[i].n;
	return n;
}

static const struct conf_key *conf_key(size_t i)
{
	const struct conf_named *named = conf_named;

	if (i < conf_n_keys)
		return &conf_keys[i];
	for (i -= conf_n_keys; i >= named->n; named++)
		i -= named->n;
	return &named->keys[i];
}

void conf_help(FILE *to)
{
	const char *section = "";

	for (size_t i = 0; i < conf_n_rows(); i++) {
		const struct conf_key *k = conf_key(i);

		if (strcmp(section, k->section) != 0)
			fprintf(to, "%s[%s]\n", *section ? "\n" : "", k->section);
		section = k->section;
		fprintf(to, "%s = %s\n    %s\n", k->name, k->fallback, k->help);
	}
}

struct conf_row conf_row(size_t i)
{
	const struct conf_key *k = conf_key(i);
	const struct conf_words *words = conf_words_of(k);

	return (struct conf_row){ .section = k->section,
				  .name = k->name,
				  .fallback = k->fallback,
				  .help = k->help,
				  .words = words ? words->words : NULL,
				  .number = k->kind == CONF_INT,
				  .low = k->low,
				  .high = k->high };
}

void conf_find_libexec(struct conf *c, const char *below)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (*c->libexec_dir || n <= 0)
		return;
	exe[n] = '\0';
	*strrchr(exe, '/') = '\0';
	if (below)
		strrchr(exe, '/')[1] = '\0';
	snprintf(c->libexec_dir, sizeof(c->libexec_dir), "%.200s%s", exe, below ? below : "");
}

bool conf_instance_valid(const char *instance)
{
	return strlen(instance) <= 16 &&
	       !instance[strspn(instance, "abcdefghijklmnopqrstuvwxyz0123456789")];
}

char *conf_command(const struct conf *c, bool sudo, const char *words)
{
	return xasprintf("%sdoze%s%s %s", sudo ? "sudo " : "", *c->instance ? " --instance " : "",
			 c->instance, words);
}
