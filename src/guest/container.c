#include "guest/container.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTAINER_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int container_workdir(const char *path, struct err *e)
{
	autofree char *part = xstrdup(path);

	if (*path != '/')
		return err_set(e, ERR_INVALID, "the working directory '%s' is not absolute", path);
	for (char *at = strchr(part + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		mkdir(part, 0755);
		*at = '/';
	}
	if (mkdir(path, 0755) && errno != EEXIST)
		return err_sys(e, "make the working directory '%s'", path);
	return chdir(path) ? err_sys(e, "change to the working directory '%s'", path) : 0;
}

static void container_signals(void)
{
	sigset_t none;

	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int container_prepare(struct app_spec *s, struct err *e)
{
	static struct user user;

	setsid();
	container_signals();
	if (rootfs_enter(s, e))
		return -1;
	if (sethostname(CONTAINER_HOSTNAME, strlen(CONTAINER_HOSTNAME)))
		return err_sys(e, "set the host name");
	if (privs_lookup(s, &user, e))
		return -1;
	spec_env_default(s, "PATH", CONTAINER_PATH);
	spec_env_default(s, "HOSTNAME", CONTAINER_HOSTNAME);
	spec_env_default(s, "HOME", user.home);
	if (container_workdir(s->workdir && *s->workdir ? s->workdir : "/", e))
		return -1;
	return privs_drop(s, &user, e);
}

_Noreturn void container_enter(struct app_spec *s, int report)
{
	struct err e = { 0 };
	int code = CONTAINER_FAILED;

	if (!container_prepare(s, &e)) {
		environ = s->env;
		execvp(s->argv[0], s->argv);
		code = errno == ENOENT ? CONTAINER_MISSING : CONTAINER_CANNOT;
		err_sys(&e, "run '%s'", s->argv[0]);
	}
	(void)!write(report, e.text, strlen(e.text));
	_exit(code);
}
