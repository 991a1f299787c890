/* env.c - `doze env`: variables that point every AWS client at doze for its services, and only for
 * these.
 *
 * The clients read different variables: the CLI and boto3 read AWS_DEFAULT_REGION and
 * AWS_CA_BUNDLE, the JavaScript SDK AWS_REGION and NODE_EXTRA_CA_CERTS; with an IP address in
 * the S3 endpoint all of them use path style. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/cli.h"
#include "cli/suggest.h"

static const char *const ca_variables[] = { "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
					    "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE",
					    "SSL_CERT_FILE" };

#define SYSTEM_BUNDLE "/etc/ssl/certs/ca-certificates.crt"

/* Prints an assignment that every POSIX shell reads back unchanged. */
static void env_line(const char *name, const char *value)
{
	printf("export %s='", name);
	for (; *value; value++)
		if (*value == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*value);
	puts("'");
}

static bool env_add_file(struct buf *all, const char *path)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || io_read_all(fd, all, 16 * MIB))
		return false;
	buf_adds(all, "\n");
	return true;
}

static char *env_cache_dir(void)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	autofree char *above =
		cache && *cache ? xstrdup(cache) : xasprintf("%s/.cache", home ? home : "/root");
	char *dir = xasprintf("%s/doze", above);

	mkdir(above, 0755);
	mkdir(dir, 0755);
	return dir;
}

/* The system's certificates, those of each file that a variable named before, and doze's own.  A
 * file that is named twice is taken once. */
static char *env_ca_bundle(struct client *c, struct err *e)
{
	autofree char *dir = env_cache_dir();
	autofree char *name = xasprintf("ca-bundle%s%s%s%s.pem", *c->conf.instance ? "-" : "",
					c->conf.instance, *c->profile ? "-at-" : "", c->profile);
	char *path = xasprintf("%s/%s", dir, name);
	const char *seen[ARRAY_SIZE(ca_variables) + 1] = { SYSTEM_BUNDLE };
	size_t n_seen = 1;
	autobuf struct buf all = { 0 };
	autoclose int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	env_add_file(&all, SYSTEM_BUNDLE); /* may be absent on a bare system */
	for (size_t i = 0; i < ARRAY_SIZE(ca_variables); i++) {
		const char *before = getenv(ca_variables[i]);
		bool have = !before || !*before || !strcmp(before, path);

		for (size_t k = 0; k < n_seen && !have; k++)
			have = !strcmp(before, seen[k]);
		if (have)
			continue;
		seen[n_seen++] = before;
		env_add_file(&all, before);
	}
	if (!env_add_file(&all, c->ca_file)) {
		autofree char *up = command_text(&c->conf, "up");

		free(path);
		err_set(e, ERR_NOT_FOUND, "cannot read '%s': start doze with '%s'", c->ca_file, up);
		return NULL;
	}
	if (dir_fd < 0 || io_replace(dir_fd, name, all.data, all.size, 0644, e)) {
		free(path);
		if (dir_fd < 0)
			err_sys(e, "open '%s'", dir);
		return NULL;
	}
	return path;
}

/* True if the aws that the user has knows the service. */
static bool env_aws_works(void)
{
	int status = 0, null;
	pid_t pid = fork();

	if (pid < 0)
		return false;
	if (!pid) {
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		setenv("AWS_PAGER", "", 1);
		setenv("PAGER", "cat", 1);
		execlp("aws", "aws", "lambda-microvms", "help", (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static void env_path(const struct client *c)
{
	autofree char *dir = xasprintf("%s/aws", c->conf.libexec_dir);
	autofree char *aws = xasprintf("%s/aws", dir);
	const char *path = getenv("PATH");

	if (!path || access(aws, X_OK) ||
	    (!strncmp(path, dir, strlen(dir)) && path[strlen(dir)] == ':') || env_aws_works())
		return;
	autofree char *both = xasprintf("%s:%s", dir, path);
	env_line("PATH", both);
}

int cmd_env(struct client *c, const struct typed *t)
{
	const char *given = typed_option(t, "--host"), *host = given ? given : c->host;
	autofree char *api = xasprintf("https://%s:%d", host, (int)c->conf.api_port);
	autofree char *s3 = xasprintf("https://%s:%d", host, (int)c->conf.s3_port);
	autofree char *bundle = NULL;
	struct err e;

	bundle = env_ca_bundle(c, &e);
	if (!bundle)
		return say(&e);
	env_line("AWS_ENDPOINT_URL_LAMBDA_MICROVMS", api);
	env_line("AWS_ENDPOINT_URL_LAMBDA_CORE", api);
	env_line("AWS_ENDPOINT_URL_STS", api);
	env_line("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", api);
	env_line("AWS_ENDPOINT_URL_S3", s3);
	env_line("AWS_REGION", c->conf.region);
	env_line("AWS_DEFAULT_REGION", c->conf.region);
	env_line("AWS_ACCESS_KEY_ID", c->access_key);
	env_line("AWS_SECRET_ACCESS_KEY", c->secret);
	puts("unset AWS_SESSION_TOKEN AWS_PROFILE");
	env_line("DOZE_ACCOUNT", c->conf.account);
	for (size_t i = 0; i < ARRAY_SIZE(ca_variables); i++)
		env_line(ca_variables[i], bundle);
	env_path(c);
	return 0;
}
