#include "priv/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "priv/child.h"
#include "priv/privdrop.h"

#define CREDENTIALS_WORDS 32
#define CREDENTIALS_FILES 256

struct credentials_run {
	struct priv *priv;
	struct request starter;
	const struct conf_role *role; /* the configuration's */
	struct child child;
	struct timer timer;
	int fd; /* owned */
	bool late;
};

/* In the child: it becomes the program. */
static void credentials_exec(const struct credentials_run *run, const struct passwd *user)
{
	const struct privdrop drop = { user->pw_uid, user->pw_gid, CREDENTIALS_FILES };
	autofree char *words = xstrdup(run->role->credentials_process), *at = words;
	autofree char *home = xasprintf("HOME=%s", user->pw_dir);
	autofree char *name = xasprintf("USER=%s", user->pw_name);
	autofree char *role = xasprintf("DOZE_ROLE=%s", run->role->name);
	static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", lang[] = "LANG=C.UTF-8";
	char *const env[] = { path, lang, home, name, role, NULL };
	char *argv[CREDENTIALS_WORDS + 1] = { NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	size_t n = 0;
	struct err e;

	while (n < CREDENTIALS_WORDS && (argv[n] = strsep(&at, " \t")))
		n += *argv[n] != '\0';
	argv[n] = NULL;
	at = NULL;
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(run->fd, STDOUT_FILENO) < 0 ||
	    dup2(null, STDERR_FILENO) < 0 || close_range(3, ~0U, 0) || chdir("/") || !n)
		_exit(126);
	/* A change of ids forgets the signal, so it is asked for behind that. */
	if (setsid() < 0 || privdrop_all(&drop, &e) || prctl(PR_SET_PDEATHSIG, SIGKILL))
		_exit(126);
	execve(argv[0], argv, env);
	_exit(127);
}

/* This process waits outside of the namespace; its status is the program's. */
static int credentials_child(void *arg)
{
	const struct credentials_run *run = arg;
	const struct passwd *user = getpwnam(run->role->credentials_user);
	int status;
	pid_t pid;

	if (!user || !user->pw_uid)
		return 125;
	if (unshare(CLONE_NEWPID))
		return 126;
	pid = fork();
	if (!pid)
		credentials_exec(run, user);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 126;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void credentials_late(struct timer *t)
{
	struct credentials_run *run = container_of(t, struct credentials_run, timer);

	run->late = true;
	child_kill(&run->child);
}

static int credentials_judge(const struct credentials_run *run, int status, struct err *e)
{
	const char *name = run->role->name;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;

	if (run->late)
		return err_set(e, ERR_INVALID, "credentials_process of [role %s] took over %d s",
			       name, CREDENTIALS_MS / 1000);
	if (code == 125)
		return err_set(
			e, ERR_INVALID,
			"credentials_user of [role %s]: there is no user '%s', or it is root", name,
			run->role->credentials_user);
	if (code == 127)
		return err_set(e, ERR_INVALID,
			       "credentials_process of [role %s] cannot be executed by its user",
			       name);
	return code ? err_set(e, ERR_INVALID, "credentials_process of [role %s] ended with %d",
			      name, code)
		    : 0;
}

static void credentials_ended(struct child *c, int status)
{
	struct credentials_run *run = container_of(c, struct credentials_run, child);
	struct err e;

	loop_untimer(run->priv->loop, &run->timer);
	run->priv->n_credentials--;
	if (credentials_judge(run, status, &e))
		priv_refuse(run->priv, &run->starter, &e);
	else
		priv_done(run->priv, &run->starter);
	fd_close(&run->fd);
	free(run);
}

/* NULL: there is no such role, or its credentials come from elsewhere. */
static const struct conf_role *credentials_role(const struct priv *p, const char *name)
{
	for (size_t i = 0; i < p->conf->n_roles; i++)
		if (!strcmp(p->conf->roles[i].name, name) &&
		    !strcmp(p->conf->roles[i].credentials, "process"))
			return &p->conf->roles[i];
	return NULL;
}

static int credentials_begin(struct priv *p, struct credentials_run *run, struct err *e)
{
	if (!run->role)
		return err_set(e, ERR_NOT_FOUND, "no such role has a credentials_process");
	if (p->stopping || p->n_credentials >= CREDENTIALS_AT_ONCE)
		return err_set(e, ERR_CAPACITY, "too many programs for credentials run already");
	return child_start(p->loop, &run->child, credentials_child, run, credentials_ended, e);
}

void credentials_start(struct priv *p, const struct request *a, struct ipc_msg *m)
{
	struct credentials_run *run = xcalloc(1, sizeof(*run));
	struct priv_role which;
	struct err e;

	memcpy(&which, m->body, sizeof(which));
	which.role[sizeof(which.role) - 1] = '\0';
	*run = (struct credentials_run){ .priv = p, .starter = *a, .fd = ipc_msg_take_fd(m, 0) };
	run->role = credentials_role(p, which.role);
	if (credentials_begin(p, run, &e)) {
		priv_refuse(p, a, &e);
		fd_close(&run->fd);
		free(run);
		return;
	}
	p->n_credentials++;
	loop_timer(p->loop, &run->timer, CREDENTIALS_MS, credentials_late);
}
