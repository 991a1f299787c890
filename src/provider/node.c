#include "provider/node.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef NODE_SCRIPT /* of a test */
#define NODE_SCRIPT "/usr/lib/doze/node.cjs"
#endif
#define NODE_REQUIRE "--require=" NODE_SCRIPT
#define NODE_OPTIONS "NODE_OPTIONS="
#define NODE_ENV_MAX 131072 /* of one variable, as the kernel limits it */
#define NODE_GAP     15 /* libuv's uv_disable_stdio_inheritance() looks beyond closed ones up to it */

extern char **environ;

/* Node offers it to its extensions, whatever the program is called, and other programs have it not.
 */
extern int napi_get_node_version(void *env, const void **version) __attribute__((weak));

/* "node", "nodejs" or "node-22", at the end of a path */
static bool node_is(const char *path)
{
	const char *name = strrchr(path, '/');

	if (!name || strncmp(name, "/node", 5))
		return false;
	name += 5;
	if (!strcmp(name, "js"))
		return true;
	name += *name == '-';
	while ((*name >= '0' && *name <= '9') || *name == '.')
		name++;
	return !*name;
}

/* Reads the file whole; *size counts no final zero.  The caller frees it. */
static char *node_read(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t room = 65536;
	char *text = fd < 0 ? NULL : malloc(room + 1);
	ssize_t n = 0;

	*size = 0;
	while (text && (n = read(fd, text + *size, room - *size)) > 0) {
		char *more;

		*size += (size_t)n;
		if (*size < room)
			continue;
		room *= 2;
		more = realloc(text, room + 1);
		if (!more)
			free(text);
		text = more;
	}
	if (fd >= 0)
		close(fd);
	if (text)
		text[*size] = '\0';
	return text;
}

/* Under Node's permissions a script that the user did not allow would end the process. */
static const char *const node_restrictions[] = { "--permission", "--experimental-permission" };

static bool node_restricts(const char *word)
{
	return !strcmp(word, node_restrictions[0]) || !strcmp(word, node_restrictions[1]);
}

/* The arguments as a vector into `text`, or NULL. */
static char **node_arguments(char *text, size_t size)
{
	char **argv = calloc(size + 1, sizeof(*argv));
	size_t n = 0;

	for (size_t at = 0; argv && at < size; at += strlen(text + at) + 1) {
		argv[n++] = text + at;
		if (n > 1 && node_restricts(text + at)) {
			free(argv);
			return NULL;
		}
	}
	return argv;
}

/* Writes the variable for what the user's is now: NULL if there is none. */
static bool node_options(char *to, const char *now)
{
	const char *rest = now ? now + strlen(NODE_OPTIONS) : "";

	if (strstr(rest, NODE_REQUIRE) || strstr(rest, node_restrictions[0]) ||
	    strstr(rest, node_restrictions[1]) ||
	    strlen(rest) + sizeof(NODE_OPTIONS NODE_REQUIRE " ") > NODE_ENV_MAX)
		return false;
	strcpy(to, NODE_OPTIONS NODE_REQUIRE);
	if (*rest) {
		strcat(to, " ");
		strcat(to, rest);
	}
	return true;
}

/* The environment with our NODE_OPTIONS, or NULL. */
static char **node_environment(char *options)
{
	size_t n = 0, put = 0;
	const char *now = NULL;
	char **env;

	for (; environ && environ[n]; n++)
		if (!strncmp(environ[n], NODE_OPTIONS, strlen(NODE_OPTIONS)))
			now = environ[n];
	env = node_options(options, now) ? calloc(n + 2, sizeof(*env)) : NULL;
	if (!env)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], NODE_OPTIONS, strlen(NODE_OPTIONS)))
			env[put++] = environ[i];
	env[put] = options;
	return env;
}

/* libuv has marked the files that this process was given, and they have to reach the next program.
 * The first failure beyond the gap is where libuv stopped, too. */
static void node_keep_files(bool keep)
{
	for (int fd = 0; !fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC) || fd <= NODE_GAP; fd++)
		;
}

void node_start_again(void)
{
	static char path[PATH_MAX], options[NODE_ENV_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *text, **argv, **env;
	size_t size;

	if (!napi_get_node_version || n <= 0 || !node_is(path) || access(NODE_SCRIPT, R_OK))
		return;
	text = node_read("/proc/self/cmdline", &size);
	argv = text ? node_arguments(text, size) : NULL;
	env = argv ? node_environment(options) : NULL;
	if (env) {
		node_keep_files(true);
		execve(path, argv, env);
		node_keep_files(false);
	}
	/* Without the script this process runs on as it is. */
	free(env);
	free(argv);
	free(text);
}
