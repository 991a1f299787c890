/* Reads the image's configuration, which is a stranger's JSON. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/spec.h"

#define APP_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int app_add(char ***list, size_t *n, const json_t *text, const char *what, struct err *e)
{
	const char *value = json_string_value(text);

	if (!value || strlen(value) != json_string_length(text))
		return err_set(e, ERR_INVALID, "the image's %s is malformed", what);
	if (*n == APP_MAX)
		return err_set(e, ERR_INVALID, "the image's %s is too long", what);
	*list = xrealloc(*list, (*n + 2) * sizeof(**list));
	(*list)[(*n)++] = xstrdup(value);
	(*list)[*n] = NULL;
	return 0;
}

static int app_add_all(char ***list, size_t *n, const json_t *from, const char *what, struct err *e)
{
	json_t *each;
	size_t i;

	if (!from || json_is_null(from))
		return 0;
	if (!json_is_array(from))
		return err_set(e, ERR_INVALID, "the image's %s is malformed", what);
	json_array_foreach((json_t *)(uintptr_t)from, i,
			   each) if (app_add(list, n, each, what, e)) return -1;
	return 0;
}

static int app_text(char **to, const json_t *from, const char *what, struct err *e)
{
	const char *value = json_string_value(from);

	if (!from || json_is_null(from) || (value && !*value))
		return 0;
	if (!value || strlen(value) != json_string_length(from) || strlen(value) > 4096)
		return err_set(e, ERR_INVALID, "the image's %s is malformed", what);
	*to = xstrdup(value);
	return 0;
}

static int app_port_order(const void *a, const void *b)
{
	const uint16_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void app_port(uint16_t *ports, size_t *n, unsigned long port)
{
	if (port && port <= UINT16_MAX && *n < BUILD_MAX_PORTS)
		ports[(*n)++] = (uint16_t)port;
}

/* The object reads {"5000/tcp": {}, "53/udp": {}}. What is no port at all is ignored. */
static void app_ports(struct app *a, const json_t *from)
{
	const char *name;
	json_t *each;

	json_object_foreach((json_t *)(uintptr_t)from, name, each)
	{
		char *end;
		unsigned long port = strtoul(name, &end, 10);

		if (!*end || !strcmp(end, "/tcp"))
			app_port(a->ports, &a->n_ports, port);
		else if (!strcmp(end, "/udp"))
			app_port(a->udp_ports, &a->n_udp_ports, port);
	}
	qsort(a->ports, a->n_ports, sizeof(a->ports[0]), app_port_order);
	qsort(a->udp_ports, a->n_udp_ports, sizeof(a->udp_ports[0]), app_port_order);
}

static bool app_has_env(const struct app *a, const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < a->n_env; i++)
		if (!strncmp(a->env[i], key, n) && a->env[i][n] == '=')
			return true;
	return false;
}

int app_read(struct app *a, const json_t *config, struct err *e)
{
	int rc = -1;

	*a = (struct app){ 0 };
	if (!json_is_object(config))
		err_set(e, ERR_INVALID, "the image has no configuration");
	else if (!app_add_all(&a->argv, &a->n_argv, json_object_get(config, "Entrypoint"),
			      "ENTRYPOINT", e) &&
		 !app_add_all(&a->argv, &a->n_argv, json_object_get(config, "Cmd"), "CMD", e) &&
		 !app_add_all(&a->env, &a->n_env, json_object_get(config, "Env"), "ENV", e) &&
		 !app_text(&a->user, json_object_get(config, "User"), "USER", e) &&
		 !app_text(&a->workdir, json_object_get(config, "WorkingDir"), "WORKDIR", e))
		rc = 0;
	if (!rc && !a->n_argv)
		rc = err_set(e, ERR_INVALID,
			     "the Dockerfile gives neither ENTRYPOINT nor CMD: there is nothing "
			     "to start");
	if (rc) {
		app_free(a);
		return -1;
	}
	app_ports(a, json_object_get(config, "ExposedPorts"));
	app_default(a, "PATH", APP_DEFAULT_PATH);
	return 0;
}

void app_unsetenv(struct app *a, const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < a->n_env; i++)
		if (!strncmp(a->env[i], key, n) && a->env[i][n] == '=') {
			free(a->env[i]);
			memmove(&a->env[i], &a->env[i + 1], (a->n_env - i) * sizeof(*a->env));
			a->n_env--;
			i--;
		}
}

void app_setenv(struct app *a, const char *key, const char *value)
{
	app_unsetenv(a, key);
	a->env = xrealloc(a->env, (a->n_env + 2) * sizeof(*a->env));
	a->env[a->n_env++] = xasprintf("%s=%s", key, value);
	a->env[a->n_env] = NULL;
}

void app_default(struct app *a, const char *key, const char *value)
{
	if (!app_has_env(a, key))
		app_setenv(a, key, value);
}

size_t app_bytes(const struct app *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_argv; i++)
		n += strlen(a->argv[i]) + 8;
	for (size_t i = 0; i < a->n_env; i++)
		n += strlen(a->env[i]) + 8;
	return n;
}

void app_free(struct app *a)
{
	for (size_t i = 0; i < a->n_argv; i++)
		free(a->argv[i]);
	for (size_t i = 0; i < a->n_env; i++)
		free(a->env[i]);
	free(a->argv);
	free(a->env);
	free(a->user);
	free(a->workdir);
	*a = (struct app){ 0 };
}
