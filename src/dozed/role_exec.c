#include "dozed/role_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/steady.h"
#include "dozed/roles.h"

void role_exec(const struct conf *conf, const char *config_file, enum role role, int sock,
	       pid_t parent)
{
	autofree char *basis = xasprintf("%lld", (long long)steady_basis());
	const char *argv[] = { "dozed",
			       "--role",
			       role_name[role],
			       "--instance",
			       conf->instance,
			       "--engine",
			       conf->kvm ? "kvm" : "qemu",
			       "--clock",
			       basis,
			       NULL };
	autofree char *program = xasprintf("%s/dozed-%s", conf->libexec_dir, role_name[role]);
	sigset_t none;
	struct err e;
	int config = *config_file ? open(config_file, O_RDONLY | O_CLOEXEC) : -1;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Both descriptors move out of the way first, then to their numbers. dup2 also clears
	 * close-on-exec. */
	sock = fcntl(sock, F_DUPFD_CLOEXEC, 16);
	if (config >= 0)
		config = fcntl(config, F_DUPFD_CLOEXEC, 16);
	dup2(sock, SUPER_FD);
	if (config >= 0)
		dup2(config, SUPER_CONFIG_FD);
	else
		close(SUPER_CONFIG_FD);
	if (role_drop(conf, role, parent, &e)) {
		log_err("role=%s %s", role_name[role], e.text);
		_exit(1);
	}
	execv(program, (char *const *)(uintptr_t)argv);
	if (errno == EACCES)
		log_err("cannot start '%s': its user may not pass a directory above it; install "
			"doze where everyone may (tools/install --prefix), or chmod o+x them",
			program);
	else
		log_err("cannot start '%s': %s; install doze again", program, strerror(errno));
	_exit(1);
}
