#include "conf/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/machine.h"

#define ENGINE_PROBE_MS 1000
#define ENGINE_HIGH_FD  16

static const char engine_usable[] = "usable: ", engine_not[] = "not usable: ";

static void engine_not_usable(struct engine_probe *p, const char *why)
{
	p->usable = false;
	snprintf(p->text, sizeof(p->text), "%s%s", engine_not, why);
}

void engine_judge(struct engine_probe *p, int status, const char *said)
{
	int length = (int)strcspn(said, "\n");

	if (status == -1) {
		engine_not_usable(p, "the probe did not end within a second");
		return;
	}
	p->usable = WIFEXITED(status) && !WEXITSTATUS(status) &&
		    !strncmp(said, engine_usable, strlen(engine_usable));
	if (p->usable || !strncmp(said, engine_not, strlen(engine_not)))
		snprintf(p->text, sizeof(p->text), "%.*s", length, said);
	else
		engine_not_usable(p, "the probe failed");
}

/* In the child. */
static void engine_run(const char *program, int kvm, int out, uid_t uid)
{
	const char *const argv[] = { "doze-vmm", "--probe", NULL };
	char *const env[] = { NULL };

	kvm = fcntl(kvm, F_DUPFD, ENGINE_HIGH_FD);
	dup2(out, STDOUT_FILENO);
	dup2(kvm, MACHINE_FD_KVM);
	close_range(MACHINE_FD_KVM + 1, ~0U, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!geteuid() &&
	    (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid)))
		_exit(127);
	if (!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		execve(program, (char *const *)(uintptr_t)argv, env);
	_exit(127);
}

/* Until it says all and ends, or a second is over. */
static int engine_wait(pid_t pid, int out, char *said, size_t size)
{
	int64_t deadline = clock_mono_ms() + ENGINE_PROBE_MS;
	struct pollfd wait = { .fd = out, .events = POLLIN };
	int status = -1;
	size_t n = 0;
	bool late;

	for (;;) {
		int64_t left = deadline - clock_mono_ms();
		ssize_t got;

		late = left <= 0 || !poll(&wait, 1, (int)left);
		got = late ? 0 : read(out, said + n, size - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	said[n] = '\0';
	if (late)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return late ? -1 : status;
}

void engine_probe(struct engine_probe *p, const char *libexec, uid_t uid)
{
	autofree char *program = xasprintf("%s/doze-vmm", libexec);
	autoclose int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	char said[sizeof(p->text)], why[128];
	int pipes[2];
	pid_t pid;

	if (access(program, X_OK)) {
		engine_not_usable(p, "doze-vmm is not installed");
		return;
	}
	if (kvm < 0) {
		snprintf(why, sizeof(why), "/dev/kvm does not open: %s", strerror(errno));
		engine_not_usable(p, why);
		return;
	}
	if (pipe2(pipes, O_CLOEXEC)) {
		engine_not_usable(p, "the probe does not start");
		return;
	}
	pid = fork();
	if (!pid)
		engine_run(program, kvm, pipes[1], uid);
	close(pipes[1]);
	if (pid < 0)
		engine_not_usable(p, "the probe does not start");
	else
		engine_judge(p, engine_wait(pid, pipes[0], said, sizeof(said)), said);
	close(pipes[0]);
}

int engine_choose(struct conf *conf, const struct engine_probe *p, struct err *e)
{
	if (!strcmp(conf->engine, "auto")) {
		conf->kvm = p->usable;
		return 0;
	}
	conf->kvm = !strcmp(conf->engine, "kvm");
	if (!conf->kvm && strcmp(conf->engine, "qemu") != 0)
		return err_set(e, ERR_INVALID, "[machine] engine = '%s': give auto, kvm or qemu",
			       conf->engine);
	if (conf->kvm && !p->usable)
		return err_set(
			e, ERR_CONFLICT,
			"[machine] engine = kvm, but KVM is %s; with engine = auto doze runs "
			"on its software CPU",
			p->text);
	return 0;
}
