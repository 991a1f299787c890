#include "guest/spec.h"

#include <stdlib.h>
#include <string.h>

static char *spec_text(const struct agent_field_view *v)
{
	char *text = xmalloc((size_t)v->size + 1);

	memcpy(text, v->data, v->size);
	text[v->size] = '\0';
	return text;
}

static void spec_push(char ***list, size_t *n, char *text)
{
	*list = xrealloc(*list, (*n + 2) * sizeof(**list));
	(*list)[(*n)++] = text;
	(*list)[*n] = NULL;
}

static void spec_file(struct app_spec *s, char *path, const void *data, size_t size)
{
	struct app_file *file;

	s->files = xrealloc(s->files, (s->n_files + 1) * sizeof(*s->files));
	file = &s->files[s->n_files++];
	*file = (struct app_file){ .path = path, .data = xmalloc(size + 1), .size = size };
	memcpy(file->data, data, size);
}

static void spec_replace(char **member, char *text)
{
	free(*member);
	*member = text;
}

static bool spec_is_text(uint16_t tag)
{
	return tag == FIELD_ARG || tag == FIELD_ENV || tag == FIELD_USER || tag == FIELD_WORKDIR ||
	       tag == FIELD_FILE_PATH || tag == FIELD_FILE_OVER;
}

/* @path and *over carry a file's path from its own field to the field of its data. */
static int spec_field(struct app_spec *s, const struct agent_field_view *v, char **path, bool *over,
		      struct err *e)
{
	if (spec_is_text(v->tag) && memchr(v->data, '\0', v->size))
		return err_set(e, ERR_INVALID, "START: a text has a NUL in it");
	switch (v->tag) {
	case FIELD_ARG:
		spec_push(&s->argv, &s->n_argv, spec_text(v));
		break;
	case FIELD_ENV:
		spec_push(&s->env, &s->n_env, spec_text(v));
		break;
	case FIELD_USER:
		spec_replace(&s->user, spec_text(v));
		break;
	case FIELD_WORKDIR:
		spec_replace(&s->workdir, spec_text(v));
		break;
	case FIELD_ALL_CAPS:
		s->all_caps = v->size && v->data[0];
		break;
	case FIELD_NO_NEW_PRIVS:
		s->no_new_privs = v->size && v->data[0];
		break;
	case FIELD_FILE_PATH:
	case FIELD_FILE_OVER:
		spec_replace(path, spec_text(v));
		*over = v->tag == FIELD_FILE_OVER;
		break;
	case FIELD_FILE_DATA:
		if (!*path || **path != '/')
			return err_set(e, ERR_INVALID, "START: a file has no absolute path");
		spec_file(s, *path, v->data, v->size);
		s->files[s->n_files - 1].over = *over;
		*path = NULL;
		break;
	default:
		break; /* The field belongs to a later protocol. */
	}
	return 0;
}

int spec_parse(const struct agent_frame *f, struct app_spec *s, struct err *e)
{
	struct agent_field_view v;
	autofree char *path = NULL;
	bool over = false;
	size_t at = 0;
	int rc;

	*s = (struct app_spec){ 0 };
	while ((rc = agent_field_next(f, &at, &v)) == 1)
		if (spec_field(s, &v, &path, &over, e))
			return -1;
	if (rc < 0)
		return err_set(e, ERR_INVALID, "START: a field runs past its frame");
	if (!s->n_argv || !*s->argv[0])
		return err_set(e, ERR_INVALID,
			       "the image names no program: it has neither ENTRYPOINT nor CMD");
	return 0;
}

static void spec_free_list(char **list)
{
	for (char **at = list; at && *at; at++)
		free(*at);
	free(list);
}

void spec_drop_files(struct app_spec *s)
{
	for (size_t i = 0; i < s->n_files; i++) {
		free(s->files[i].path);
		free(s->files[i].data);
	}
	free(s->files);
	s->files = NULL;
	s->n_files = 0;
}

void spec_free(struct app_spec *s)
{
	spec_free_list(s->argv);
	spec_free_list(s->env);
	free(s->user);
	free(s->workdir);
	spec_drop_files(s);
	*s = (struct app_spec){ 0 };
}

const char *spec_env(const struct app_spec *s, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = s->n_env; i-- > 0;)
		if (!strncmp(s->env[i], key, len) && s->env[i][len] == '=')
			return s->env[i] + len + 1;
	return NULL;
}

void spec_env_set(struct app_spec *s, const char *key, const char *value)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < s->n_env; i++)
		if (!strncmp(s->env[i], key, len) && s->env[i][len] == '=') {
			spec_replace(&s->env[i], xasprintf("%s=%s", key, value));
			return;
		}
	spec_push(&s->env, &s->n_env, xasprintf("%s=%s", key, value));
}

static void spec_env_put(struct app_spec *s, const char *variable)
{
	const char *end = strchr(variable, '=');
	autofree char *key = end ? xasprintf("%.*s", (int)(end - variable), variable) : NULL;

	if (key)
		spec_env_set(s, key, end + 1);
}

void spec_env_complete(struct app_spec *s, const char *const *defaults)
{
	char **image = s->env;

	s->env = NULL;
	s->n_env = 0;
	for (; *defaults; defaults++)
		spec_env_put(s, *defaults);
	for (char **at = image; at && *at; at++)
		spec_env_put(s, *at);
	spec_free_list(image);
}

void spec_file_default(struct app_spec *s, const char *path, const char *text)
{
	for (size_t i = 0; i < s->n_files; i++)
		if (!strcmp(s->files[i].path, path))
			return;
	spec_file(s, xstrdup(path), text, strlen(text));
}
