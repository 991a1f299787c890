#include "guest/container.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/exec_fault.h"

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

/* The user's processes may open their standard output and error by name, so the pipes belong to
 * the user.  Standard input is the container's own /dev/null. */
static int container_stdio(const struct user *u, struct err *e)
{
	autoclose int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		return err_sys(e, "open /dev/null");
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
		if (fchown(fd, u->uid, (gid_t)-1))
			return err_sys(e, "give the user its output");
	return 0;
}

void container_environment(struct app_spec *s, const struct user *u)
{
	static const char *const defaults[] = { "PATH=" CONTAINER_PATH,
						"HOSTNAME=" CONTAINER_HOSTNAME, NULL };
	const char *home;

	spec_env_complete(s, defaults);
	home = spec_env(s, "HOME");
	if (!home || !*home)
		spec_env_set(s, "HOME", u->home);
}

static int container_prepare(struct app_spec *s, struct user *user, struct err *e)
{
	setsid();
	container_signals();
	if (rootfs_enter(s, e))
		return -1;
	if (sethostname(CONTAINER_HOSTNAME, strlen(CONTAINER_HOSTNAME)))
		return err_sys(e, "set the host name");
	if (privs_lookup(s, user, e))
		return -1;
	container_environment(s, user);
	if (container_workdir(s->workdir && *s->workdir ? s->workdir : "/", e))
		return -1;
	return container_stdio(user, e);
}

/* Two texts, each with a NUL behind it: what looks wrong with the program, and, if it could not be
 * started, why. */
static void container_report(int report, const char *text)
{
	(void)!write(report, text, strlen(text) + 1);
}

_Noreturn void container_enter(struct app_spec *s, int report)
{
	static struct exec_look look;
	static struct user user;
	char hint[CONTAINER_REPORT / 2] = "", fault[CONTAINER_REPORT / 2];
	struct err e = { 0 };
	int code = CONTAINER_FAILED;

	if (!container_prepare(s, &user, &e)) {
		exec_look(s, &look); /* before the user may no longer read what it may run */
		exec_hint(&look, s, hint, sizeof(hint));
	}
	container_report(report, hint);
	if (!*e.text && !privs_drop(s, &user, &e)) {
		environ = s->env;
		execvp(s->argv[0], s->argv); /* which passes over what this user may not see */
		code = errno == ENOENT ? CONTAINER_MISSING : CONTAINER_CANNOT;
		exec_fault(&look, errno, &user, fault, sizeof(fault));
		err_set(&e, ERR_INVALID, "%s", fault);
	}
	container_report(report, e.text);
	_exit(code);
}
