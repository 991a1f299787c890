#include "cli/child.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int child_run(const char *file, const char *const *argv)
{
	pid_t pid;
	int status = 0;

	fflush(stdout); /* what it prints comes behind what we have printed */
	pid = fork();
	if (pid < 0)
		return CHILD_NOT_STARTED;
	if (!pid) {
		execvp(file, (char *const *)(uintptr_t)argv);
		_exit(CHILD_NOT_STARTED);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
