/* priv_shell.c - stands in for doze-qemu in a jail that priv made: every connection to
 * stream.sock gets a shell there, so that a test sees what a machine's process sees. */

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/machine.h"

int main(void)
{
	char name[] = "sh", input[] = "-s";
	char *const argv[] = { name, input, NULL };

	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		struct pollfd wait = { .fd = MACHINE_FD_STREAM, .events = POLLIN };
		int fd = poll(&wait, 1, -1) == 1 ? accept(wait.fd, NULL, NULL) : -1;

		if (fd < 0)
			continue;
		if (!fork()) {
			signal(SIGCHLD, SIG_DFL);
			dup2(fd, STDIN_FILENO);
			dup2(fd, STDOUT_FILENO);
			dup2(fd, STDERR_FILENO);
			execv("/bin/sh", argv);
			_exit(127);
		}
		close(fd);
	}
}
