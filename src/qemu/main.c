/* main.c - doze-qemu: one microVM on QEMU's software CPU.  Started by priv inside its jail with the
 * descriptors of enum machine_fd, and with its system calls filtered; see ipc/machine.h. */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "qemu/machine.h"

static int usage(void)
{
	fprintf(stderr, "usage: doze-qemu --machine <id> --qemu <path>\n"
			"Runs one microVM.  It is started by dozed with its sockets and its tap "
			"open; by hand it is of no use.\n");
	return 2;
}

static int serve(const char *qemu, struct err *e)
{
	struct loop *loop = loop_new(e);
	struct machine m;
	int rc;

	if (!loop)
		return -1;
	rc = machine_open(&m, loop, qemu, e);
	if (!rc) {
		rc = loop_run(loop, e);
		machine_close(&m);
	}
	loop_free(loop);
	return rc;
}

int main(int argc, char **argv)
{
	const char *machine = NULL, *qemu = NULL;
	char name[64];
	struct err e;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--machine"))
			machine = argv[i + 1];
		else if (!strcmp(argv[i], "--qemu"))
			qemu = argv[i + 1];
		else
			return usage();
	}
	if (argc != 5 || !machine || !qemu)
		return usage();
	snprintf(name, sizeof(name), "qemu/%s", machine);
	log_init(name, LOG_LEVEL_INFO);
	signal(SIGPIPE, SIG_IGN);
	for (int fd = MACHINE_FD_SOCK; fd <= MACHINE_FD_TAP; fd++) {
		if (fcntl(fd, F_SETFD, FD_CLOEXEC)) {
			log_err("The sockets and the tap are not open descriptor=%d", fd);
			return usage();
		}
	}
	if (serve(qemu, &e)) {
		log_err("The machine failed cause='%s'", e.text);
		return 1;
	}
	return 0;
}
