/* dockerfile_config.c - the instructions that change the image's configuration. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "wire/dockerfile_job.h"

#define DOCKERFILE_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

void dockerfile_state_of_image(struct dockerfile_state *s, const json_t *config)
{
	const json_t *env = json_object_get(config, "Env"),
		     *shell = json_object_get(config, "Shell");
	const char *workdir = json_string_value(json_object_get(config, "WorkingDir"));
	const char *user = json_string_value(json_object_get(config, "User")), *path;
	json_t *volumes = json_object_get(config, "Volumes"), *each;

	json_object_foreach(volumes, path, each) dockerfile_vars_set(&s->volumes, path, "");
	for (size_t i = 0; i < json_array_size(env); i++) {
		const char *pair = json_string_value(json_array_get(env, i));
		const char *equal = pair ? strchr(pair, '=') : NULL;
		autofree char *name = equal ? xasprintf("%.*s", (int)(equal - pair), pair) : NULL;

		if (equal)
			dockerfile_vars_set(&s->env, name, equal + 1);
	}
	if (!dockerfile_vars_get(&s->env, "PATH"))
		dockerfile_vars_set(&s->env, "PATH", DOCKERFILE_PATH);
	s->workdir = workdir && *workdir ? xstrdup(workdir) : NULL;
	s->user = user && *user ? xstrdup(user) : NULL;
	if (json_array_size(shell))
		s->shell = json_deep_copy(shell);
	for (size_t i = 0; i < json_array_size(s->shell); i++)
		if (!json_is_string(json_array_get(s->shell, i))) {
			json_decref(s->shell);
			s->shell = NULL;
		}
}

static const char *dockerfile_args(const struct dockerfile_job *j, struct buf *to)
{
	buf_add(to, j->inst->args.data, j->inst->args.size);
	return buf_str(to);
}

void dockerfile_put_config(struct dockerfile_job *j, const char *text)
{
	autofree char *line = xasprintf("%s %s", j->inst->word, text);

	dockerfile_put(j, line, true);
}

/* "NAME the rest of the line" */
static int dockerfile_pair_old(struct dockerfile_job *j, const char *text, size_t n,
			       struct dockerfile_vars *to)
{
	autobuf struct buf name = { 0 }, value = { 0 };
	const char *rest = text + n + strspn(text + n, " \t");

	if (!*rest)
		return dockerfile_refuse(j, "%s needs a name and a value", j->inst->word);
	if (dockerfile_word_put(j, text, n, &name) ||
	    dockerfile_word_put(j, rest, strlen(rest), &value))
		return -1;
	dockerfile_vars_set(to, buf_str(&name), buf_str(&value));
	return 0;
}

static int dockerfile_pair(struct dockerfile_job *j, const char *word, size_t n,
			   struct dockerfile_vars *to)
{
	autobuf struct buf name = { 0 }, value = { 0 };
	const char *equal = memchr(word, '=', n);
	size_t before = equal ? (size_t)(equal - word) : 0;

	if (!equal)
		return dockerfile_refuse(j, "%s: '%.*s' is not NAME=VALUE", j->inst->word, (int)n,
					 word);
	if (dockerfile_word_put(j, word, before, &name) ||
	    dockerfile_word_put(j, equal + 1, n - before - 1, &value))
		return -1;
	if (!name.size)
		return dockerfile_refuse(j, "%s: a name is empty", j->inst->word);
	if (!dockerfile_work(&j->stages.work, to->n + j->stage->state.env.n))
		return dockerfile_refuse(j, "%s: " DOCKERFILE_TOO_LONG, j->inst->word);
	dockerfile_vars_set(to, buf_str(&name), buf_str(&value));
	return 0;
}

/* All values of one instruction see the variables as they were before it. */
static int dockerfile_pairs(struct dockerfile_job *j, struct dockerfile_vars *to)
{
	autobuf struct buf copy = { 0 };
	const char *text = dockerfile_args(j, &copy);
	size_t at = 0, n = dockerfile_word(text, &at, j->escape);

	if (!n || !memchr(text + at, '=', n))
		return dockerfile_pair_old(j, text + at, n, to);
	for (; n; n = dockerfile_word(text, &at, j->escape)) {
		if (dockerfile_pair(j, text + at, n, to))
			return -1;
		at += n;
	}
	return 0;
}

static int dockerfile_lower_pairs(struct dockerfile_job *j)
{
	struct dockerfile_state *state = &j->stage->state;
	struct dockerfile_vars pairs = { 0 };
	autobuf struct buf line = { 0 };
	int rc = dockerfile_pairs(j, &pairs);

	for (size_t i = 0; !rc && i < pairs.n; i++) {
		buf_adds(&line, i ? " " : "");
		dockerfile_quote(&line, pairs.v[i].name);
		buf_adds(&line, "=");
		dockerfile_quote(&line, pairs.v[i].value);
		if (strcmp(j->inst->word, "ENV") != 0)
			continue;
		dockerfile_vars_set(&state->env, pairs.v[i].name, pairs.v[i].value);
		if (dockerfile_vars_get(&state->args, pairs.v[i].name))
			dockerfile_vars_set(&state->args, pairs.v[i].name, pairs.v[i].value);
	}
	if (!rc)
		dockerfile_put_config(j, buf_str(&line));
	dockerfile_vars_free(&pairs);
	return rc;
}

/* RUN alone is told of them, and only by the lines that dockerfile_lower_run puts before it. */
static int dockerfile_lower_arg(struct dockerfile_job *j)
{
	struct dockerfile_state *state = &j->stage->state;

	return dockerfile_arg_read(&state->env, &state->args, &j->stages, j->inst, j->escape, j->e);
}

/* USER, WORKDIR and STOPSIGNAL take the rest of the line as one word. */
static int dockerfile_one_word(struct dockerfile_job *j, struct buf *to)
{
	autobuf struct buf copy = { 0 };
	const char *text = dockerfile_args(j, &copy);

	if (dockerfile_word_put(j, text, strlen(text), to))
		return -1;
	return to->size ? 0 : dockerfile_refuse(j, "%s without a value", j->inst->word);
}

static int dockerfile_lower_user(struct dockerfile_job *j)
{
	autobuf struct buf word = { 0 }, line = { 0 };

	if (dockerfile_one_word(j, &word))
		return -1;
	dockerfile_need_workdir(j, NULL); /* it belongs to the user before */
	free(j->stage->state.user);
	j->stage->state.user = xstrdup(buf_str(&word));
	dockerfile_quote(&line, buf_str(&word));
	dockerfile_put_config(j, buf_str(&line));
	return 0;
}

static int dockerfile_lower_workdir(struct dockerfile_job *j)
{
	autobuf struct buf word = { 0 }, path = { 0 }, line = { 0 };

	if (dockerfile_one_word(j, &word))
		return -1;
	dockerfile_path(j->stage->state.workdir, buf_str(&word), false, &path);
	dockerfile_need_workdir(j, NULL); /* of an earlier WORKDIR */
	free(j->stage->state.workdir);
	j->stage->state.workdir = xstrdup(buf_str(&path));
	dockerfile_quote(&line, buf_str(&path));
	dockerfile_put_config(j, buf_str(&line));
	j->workdir_waits = path.size > 1;
	return 0;
}

static int dockerfile_lower_stopsignal(struct dockerfile_job *j)
{
	autobuf struct buf word = { 0 };
	const char *text;

	if (dockerfile_one_word(j, &word))
		return -1;
	text = buf_str(&word);
	if (!isalnum((unsigned char)*text) ||
	    text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-")])
		return dockerfile_refuse(j, "STOPSIGNAL: '%.40s' is no signal", text);
	dockerfile_put_config(j, text);
	return 0;
}

/* "[[address:]port:]first[-last][/protocol]"; only what stands behind the last ':' counts. */
static int dockerfile_port(struct dockerfile_job *j, const char *word, struct buf *line)
{
	const char *colon = strrchr(word, ':'), *at = colon ? colon + 1 : word;
	autofree char *protocol = NULL;
	unsigned long first, last;
	char *end;

	first = last = strtoul(at, &end, 10);
	if (*end == '-' && isdigit((unsigned char)end[1]))
		last = strtoul(end + 1, &end, 10);
	protocol = xstrdup(*end == '/' ? end + 1 : *end ? "-" : "tcp");
	for (char *c = protocol; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (!isdigit((unsigned char)*at) || first > last || last > 65535 ||
	    (strcmp(protocol, "tcp") != 0 && strcmp(protocol, "udp") != 0 &&
	     strcmp(protocol, "sctp") != 0))
		return dockerfile_refuse(j, "EXPOSE: '%.60s' is no port", word);
	if (line->size > LIMIT_DOCKERFILE)
		return dockerfile_refuse(j, "EXPOSE: " DOCKERFILE_TOO_LONG);
	for (; first <= last; first++)
		buf_addf(line, "%s%lu/%s", line->size ? " " : "", first, protocol);
	return 0;
}

static int dockerfile_lower_expose(struct dockerfile_job *j)
{
	autobuf struct buf copy = { 0 }, words = { 0 }, line = { 0 };
	const char *text = dockerfile_args(j, &copy);
	char *rest, *word;

	if (dockerfile_word_put(j, text, strlen(text), &words))
		return -1;
	rest = buf_str(&words);
	while ((word = strsep(&rest, " \t")))
		if (*word && dockerfile_port(j, word, &line))
			return -1;
	if (line.size)
		dockerfile_put_config(j, buf_str(&line));
	return 0;
}

static int dockerfile_volume(struct dockerfile_job *j, const char *text, size_t size)
{
	autobuf struct buf path = { 0 };

	if (dockerfile_word_put(j, text, size, &path))
		return -1;
	if (!path.size)
		return dockerfile_refuse(j, "VOLUME: a path is empty");
	dockerfile_vars_set(&j->stage->state.volumes, buf_str(&path), "");
	return 0;
}

static int dockerfile_lower_volume(struct dockerfile_job *j)
{
	autobuf struct buf copy = { 0 };
	const char *text = dockerfile_args(j, &copy);
	size_t at = 0, n;
	json_t *array;
	int rc = dockerfile_array(j, text, &array);

	for (size_t i = 0; !rc && i < json_array_size(array); i++) {
		const char *each = json_string_value(json_array_get(array, i));

		rc = dockerfile_volume(j, each, strlen(each));
	}
	for (; !rc && !array && (n = dockerfile_word(text, &at, j->escape)); at += n)
		rc = dockerfile_volume(j, text + at, n);
	json_decref(array);
	return rc;
}

/* The builder would forget what later steps write below a volume, so all volumes come last. */
void dockerfile_put_volumes(struct dockerfile_job *j)
{
	const struct dockerfile_vars *v = &j->stage->state.volumes;
	autobuf struct buf line = { 0 };

	for (size_t i = 0; i < v->n; i++) {
		autobuf struct buf path = { 0 };

		dockerfile_quote(&path, v->v[i].name);
		buf_adds(&line, i ? "," : "VOLUME [");
		dockerfile_json(&line, buf_str(&path));
	}
	j->inst = j->stage->from;
	if (line.size) {
		buf_adds(&line, "]");
		dockerfile_put(j, buf_str(&line), false);
	}
}

/* CMD and ENTRYPOINT: what is no array is a command of the shell. */
static int dockerfile_lower_command(struct dockerfile_job *j)
{
	autobuf struct buf copy = { 0 }, line = { 0 };
	const char *text = dockerfile_args(j, &copy);
	autofree char *dump = NULL;
	json_t *array;

	if (dockerfile_array(j, text, &array))
		return -1;
	if (array)
		dump = json_dumps(array, JSON_COMPACT);
	else if (*text)
		dockerfile_shell_put(j, text, &line);
	json_decref(array);
	text = dump ? dump : line.size ? buf_str(&line) : "[]";
	dockerfile_put_config(j, text);
	if (!strcmp(j->inst->word, "CMD")) {
		buf_clear(&j->cmd);
		buf_addf(&j->cmd, "CMD %s", text);
	} else if (j->cmd.size) { /* the builder forgets one that it took from its cache */
		dockerfile_put(j, buf_str(&j->cmd), false);
	}
	return 0;
}

static int dockerfile_lower_shell(struct dockerfile_job *j)
{
	autobuf struct buf copy = { 0 };
	const char *text = dockerfile_args(j, &copy);
	autofree char *dump = NULL;
	json_t *array;

	if (dockerfile_array(j, text, &array))
		return -1;
	if (!json_array_size(array)) {
		json_decref(array);
		return dockerfile_refuse(j, "SHELL takes an array, such as [\"/bin/sh\", \"-c\"]");
	}
	dump = json_dumps(array, JSON_COMPACT);
	json_decref(j->stage->state.shell);
	j->stage->state.shell = array;
	dockerfile_put_config(j, dump);
	return 0;
}

/* The builder's images keep triggers as text. Stages of this file get them from the state. */
static int dockerfile_lower_onbuild(struct dockerfile_job *j)
{
	struct dockerfile_vars *triggers = &j->stage->state.triggers;
	autobuf struct buf text = { 0 }, copy = { 0 };
	autofree char *number = xasprintf("%zu", triggers->n);
	struct dockerfile *d;

	dockerfile_trigger_text(j->inst, &text);
	d = dockerfile_trigger_parse(buf_str(&text), j->escape, j->inst->line, j->e);
	if (!d)
		return -1;
	dockerfile_free(d);
	dockerfile_vars_set(triggers, number, buf_str(&text));
	if (j->stage == &j->stages.v[j->stages.n - 1] && !j->inst->n_heredocs)
		dockerfile_put_config(j, dockerfile_args(j, &copy));
	return 0;
}

static int dockerfile_lower_maintainer(struct dockerfile_job *j)
{
	autobuf struct buf copy = { 0 }, line = { 0 };

	dockerfile_quote(&line, dockerfile_args(j, &copy));
	dockerfile_put_config(j, buf_str(&line));
	return 0;
}

static const struct dockerfile_rule {
	const char *word;
	int (*lower)(struct dockerfile_job *j);
} dockerfile_rules[] = {
	{ "ARG", dockerfile_lower_arg },
	{ "ENV", dockerfile_lower_pairs },
	{ "LABEL", dockerfile_lower_pairs },
	{ "USER", dockerfile_lower_user },
	{ "WORKDIR", dockerfile_lower_workdir },
	{ "EXPOSE", dockerfile_lower_expose },
	{ "VOLUME", dockerfile_lower_volume },
	{ "CMD", dockerfile_lower_command },
	{ "ENTRYPOINT", dockerfile_lower_command },
	{ "SHELL", dockerfile_lower_shell },
	{ "ONBUILD", dockerfile_lower_onbuild },
	{ "HEALTHCHECK", dockerfile_lower_healthcheck },
	{ "STOPSIGNAL", dockerfile_lower_stopsignal },
	{ "MAINTAINER", dockerfile_lower_maintainer },
};

int dockerfile_lower_config(struct dockerfile_job *j)
{
	for (size_t i = 0; i < ARRAY_SIZE(dockerfile_rules); i++)
		if (!strcmp(j->inst->word, dockerfile_rules[i].word))
			return dockerfile_rules[i].lower(j);
	return dockerfile_refuse(j, "no such instruction: %s", j->inst->word);
}
