/* priv_shell.c - stands in for doze-qemu in a jail that priv made: every connection to
 * stream.sock gets a shell there, so that a test sees what a machine's process sees. */

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
		int fd = accept(MACHINE_FD_STREAM, NULL, NULL);

		if (fd < 0) {
			usleep(1000); /* the socket is non-blocking */
			continue;
		}
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
