/* dockerfile_mount.c - the mounts of RUN. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "wire/dockerfile_job.h"
#include "wire/sigv4.h"

enum dockerfile_mount_key {
	MOUNT_TYPE,
	MOUNT_FROM,
	MOUNT_SOURCE,
	MOUNT_TARGET,
	MOUNT_ID,
	MOUNT_SHARING,
	MOUNT_MODE,
	MOUNT_UID,
	MOUNT_GID,
	MOUNT_SIZE,
	MOUNT_REQUIRED,
	MOUNT_ENV,
	MOUNT_NUM_KEYS,
};

struct dockerfile_mount {
	char *text[MOUNT_NUM_KEYS]; /* NULL where it is not given */
	bool set, read_only;        /* ro or rw was given, and which */
};

static const struct {
	const char *name;
	enum dockerfile_mount_key key;
} dockerfile_mount_keys[] = {
	{ "type", MOUNT_TYPE },
	{ "from", MOUNT_FROM },
	{ "source", MOUNT_SOURCE },
	{ "src", MOUNT_SOURCE },
	{ "target", MOUNT_TARGET },
	{ "dst", MOUNT_TARGET },
	{ "destination", MOUNT_TARGET },
	{ "id", MOUNT_ID },
	{ "sharing", MOUNT_SHARING },
	{ "mode", MOUNT_MODE },
	{ "uid", MOUNT_UID },
	{ "gid", MOUNT_GID },
	{ "size", MOUNT_SIZE },
	{ "required", MOUNT_REQUIRED },
	{ "env", MOUNT_ENV },
};

static int dockerfile_mount_access(struct dockerfile_job *j, struct dockerfile_mount *m,
				   const char *key, const char *value)
{
	bool writes = !strcasecmp(key, "rw") || !strcasecmp(key, "readwrite"), yes;

	if (dockerfile_truth(j, "--mount", value, &yes))
		return -1;
	m->set = true;
	m->read_only = writes ? !yes : yes;
	return 0;
}

static int dockerfile_mount_field(struct dockerfile_job *j, struct dockerfile_mount *m, char *field)
{
	static const char *const access[] = { "ro", "readonly", "rw", "readwrite" };
	autobuf struct buf value = { 0 };
	char *equal = strchr(field, '=');

	if (equal)
		*equal++ = '\0';
	if (equal && dockerfile_word_put(j, equal, strlen(equal), &value))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(access); i++)
		if (!strcasecmp(field, access[i]))
			return dockerfile_mount_access(j, m, field, buf_str(&value));
	for (size_t i = 0; i < ARRAY_SIZE(dockerfile_mount_keys); i++) {
		char **text = &m->text[dockerfile_mount_keys[i].key];

		if (strcasecmp(field, dockerfile_mount_keys[i].name) != 0)
			continue;
		if (!equal && dockerfile_mount_keys[i].key != MOUNT_REQUIRED)
			break;
		if (dockerfile_mount_keys[i].key == MOUNT_FROM && strchr(equal, '$'))
			return dockerfile_refuse(j, "from= takes no variables; name a stage whose "
						    "FROM has them");
		free(*text);
		*text = xstrdup(equal ? buf_str(&value) : "true");
		return 0;
	}
	return dockerfile_refuse(j, "RUN --mount does not understand '%.60s'", field);
}

/* A comma separates options of a mount for the builder, which has no way to write one. */
static int dockerfile_mount_put(struct dockerfile_job *j, const char *key, const char *value,
				struct buf *to)
{
	if (strchr(value, ','))
		return dockerfile_refuse(j, "RUN --mount: a %s cannot have a comma", key);
	buf_addf(to, ",%s=", key);
	dockerfile_quote(to, value);
	return 0;
}

static int dockerfile_mount_target(struct dockerfile_job *j, const struct dockerfile_mount *m,
				   struct buf *to)
{
	autobuf struct buf path = { 0 };

	if (!m->text[MOUNT_TARGET])
		return dockerfile_refuse(j, "RUN --mount needs a target");
	dockerfile_path(j->stage->state.workdir, m->text[MOUNT_TARGET], false, &path);
	if (path.size < 2)
		return dockerfile_refuse(j, "RUN --mount: the target cannot be /");
	return dockerfile_mount_put(j, "target", buf_str(&path), to);
}

/* From the context by default; what is written there is gone after the step. */
static int dockerfile_mount_bind(struct dockerfile_job *j, const struct dockerfile_mount *m,
				 struct buf *to)
{
	const char *source = m->text[MOUNT_SOURCE] ? m->text[MOUNT_SOURCE] : "/";
	bool writes = m->set && !m->read_only;
	autobuf struct buf path = { 0 }, target = { 0 };
	const char *from;

	dockerfile_path(NULL, source, false, &path);
	from = m->text[MOUNT_FROM] ? dockerfile_mount_from(j, m->text[MOUNT_FROM])
				   : dockerfile_own(j, buf_str(&path) + 1);
	if (!from || dockerfile_mount_put(j, "from", from, to) ||
	    dockerfile_mount_put(j, "source", buf_str(&path), to) ||
	    dockerfile_mount_target(j, m, to))
		return -1;
	if (writes) { /* what the step writes is gone after it */
		buf_adds(to, ",rw --mount=type=tmpfs");
		buf_clear(&path);
		dockerfile_path(DOCKERFILE_OWN_COPY, "", false, &path);
		dockerfile_path(j->stage->state.workdir, m->text[MOUNT_TARGET], false, &target);
		buf_adds(&path, buf_str(&target));
		return dockerfile_mount_put(j, "target", buf_str(&path), to);
	}
	return 0;
}

static int dockerfile_mount_numbers(struct dockerfile_job *j, const struct dockerfile_mount *m,
				    struct buf *to)
{
	static const struct {
		enum dockerfile_mount_key key;
		const char *name, *digits;
	} numbers[] = {
		{ MOUNT_MODE, "mode", "01234567" },
		{ MOUNT_UID, "uid", "0123456789" },
		{ MOUNT_GID, "gid", "0123456789" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const char *text = m->text[numbers[i].key];

		if (text && (!*text || text[strspn(text, numbers[i].digits)]))
			return dockerfile_refuse(j, "RUN --mount: %s=%.40s is no number",
						 numbers[i].name, text);
		if (text)
			buf_addf(to, ",%s=%s", numbers[i].name, text);
	}
	return 0;
}

/* The builder makes a path of the id, so that it gets a hash. */
static int dockerfile_mount_cache(struct dockerfile_job *j, const struct dockerfile_mount *m,
				  struct buf *to)
{
	static const char *const ways[] = { "shared", "private", "locked" };
	const char *sharing = m->text[MOUNT_SHARING] ? m->text[MOUNT_SHARING] : "shared";
	const char *id = m->text[MOUNT_ID], *from = m->text[MOUNT_FROM];
	autobuf struct buf target = { 0 };
	char hex[65];
	bool known = false;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		known = known || !strcasecmp(sharing, ways[i]);
	if (!known)
		return dockerfile_refuse(j, "RUN --mount: sharing is shared, private or locked");
	dockerfile_path(j->stage->state.workdir, m->text[MOUNT_TARGET] ? m->text[MOUNT_TARGET] : "",
			false, &target);
	id = id && *id ? id : buf_str(&target);
	sha256_hex(id, strlen(id), hex);
	/* One at a time is what the builder can do for those that want a cache of their own. */
	buf_addf(to, ",id=%.32s,sharing=%s", hex,
		 strcasecmp(sharing, ways[0]) ? "locked" : ways[0]);
	if (from && strcmp(from, "scratch") != 0) {
		from = dockerfile_mount_from(j, from);
		if (!from || dockerfile_mount_put(j, "from", from, to))
			return -1;
	}
	if (m->text[MOUNT_SOURCE] && dockerfile_mount_put(j, "source", m->text[MOUNT_SOURCE], to))
		return -1;
	if (dockerfile_mount_numbers(j, m, to) || dockerfile_mount_target(j, m, to))
		return -1;
	buf_adds(to, m->set && m->read_only ? ",ro" : "");
	return 0;
}

/* "64m" and the like as bytes. */
static int dockerfile_mount_size(struct dockerfile_job *j, const char *size, struct buf *to)
{
	static const char units[] = "kmgt";
	char *end;
	double number = strtod(size, &end);
	const char *unit = *end ? strchr(units, tolower((unsigned char)*end)) : NULL;

	for (const char *each = units; unit && each <= unit; each++)
		number *= 1024;
	if (!isdigit((unsigned char)*size) || !(number <= 0x1p60) || (*end && (!unit || end[1])))
		return dockerfile_refuse(j, "RUN --mount: size=%.40s is no size", size);
	buf_addf(to, ",tmpfs-size=%llu", (unsigned long long)number);
	return 0;
}

static int dockerfile_mount_tmpfs(struct dockerfile_job *j, const struct dockerfile_mount *m,
				  struct buf *to)
{
	if (m->text[MOUNT_SIZE] && dockerfile_mount_size(j, m->text[MOUNT_SIZE], to))
		return -1;
	return dockerfile_mount_target(j, m, to);
}

/* A build here has neither secrets nor an agent. What is optional is absent, as it is in any build
 * that is given none. */
static int dockerfile_mount_absent(struct dockerfile_job *j, const struct dockerfile_mount *m,
				   bool ssh)
{
	const char *required = m->text[MOUNT_REQUIRED];
	bool yes = ssh;

	if (required && dockerfile_truth(j, "required", required, &yes))
		return -1;
	if (yes && ssh)
		return dockerfile_refuse(j, "RUN --mount=type=ssh: builds have no SSH agent here; "
					    "with required=false the step runs without one");
	if (yes)
		return dockerfile_refuse(j, "RUN --mount=type=secret: builds have no secrets here, "
					    "and this one is required");
	dockerfile_note(j, ssh ? "builds have no SSH agent here; the step runs without one."
			       : "builds have no secrets here; the step runs without this one.");
	return 0;
}

static int dockerfile_mount_one(struct dockerfile_job *j, const struct dockerfile_mount *m,
				struct buf *to)
{
	static const struct {
		const char *type;
		int (*put)(struct dockerfile_job *j, const struct dockerfile_mount *m,
			   struct buf *to);
	} kinds[] = {
		{ "bind", dockerfile_mount_bind },
		{ "cache", dockerfile_mount_cache },
		{ "tmpfs", dockerfile_mount_tmpfs },
	};
	const char *type = m->text[MOUNT_TYPE] ? m->text[MOUNT_TYPE] : "bind";

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcasecmp(type, kinds[i].type)) {
			int rc;

			buf_addf(to, "--mount=type=%s", kinds[i].type);
			rc = kinds[i].put(j, m, to);
			buf_adds(to, " ");
			return rc;
		}
	if (!strcasecmp(type, "secret") || !strcasecmp(type, "ssh"))
		return dockerfile_mount_absent(j, m, !strcasecmp(type, "ssh"));
	return dockerfile_refuse(j, "RUN --mount: there is no type %.40s", type);
}

int dockerfile_mount(struct dockerfile_job *j, const struct dockerfile_part *flag, struct buf *to)
{
	struct dockerfile_mount m = { 0 };
	autobuf struct buf value = { 0 };
	char *rest, *field;
	int rc = 0;

	dockerfile_flag_value(flag, &value);
	rest = buf_str(&value);
	while (!rc && (field = strsep(&rest, ",")))
		rc = dockerfile_mount_field(j, &m, field);
	if (!rc)
		rc = dockerfile_mount_one(j, &m, to);
	for (size_t i = 0; i < MOUNT_NUM_KEYS; i++)
		free(m.text[i]);
	return rc;
}
