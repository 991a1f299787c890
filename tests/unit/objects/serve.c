/* serve.c - the role objects with a small supervisor, for S3 clients:
 * serve PORT DATA-DIR PEM-FILE CREDENTIALS-FILE
 * SIGTERM stops the role; the exit code is the role's. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/conf.h"
#include "ipc/access.h"
#include "ipc/super.h"

static void serve_say(int sock, uint32_t type, uint32_t which, uint32_t more, int fd)
{
	const struct ipc_head head = { type, 8, 0 };
	const uint32_t body[2] = { which, more };

	if (ipc_send(sock, &head, body, &fd, fd >= 0 ? 1 : 0))
		exit(1);
}

static int serve_listen(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1024))
		perror("listen"), exit(1);
	return fd;
}

static void serve_stop(int signal)
{
	(void)signal; /* it interrupts waitpid */
}

/* The role's exit code, when it has ended; it is told to on SIGTERM. */
static int serve_wait(pid_t pid, int sock)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return 1;
		serve_say(sock, SUPER_STOP, 0, 0, -1);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* A control that has no accounts. */
static void serve_access(int sock)
{
	const struct ipc_head head = { ACCESS_SYNCED, sizeof(struct access_none), 0 };
	const struct access_none none = { 0 };
	struct err e;
	int pair[2];

	if (ipc_pair(pair, &e) || ipc_send(pair[0], &head, &none, NULL, 0))
		exit(1);
	serve_say(sock, SUPER_PEER, ROLE_CONTROL, 0, pair[1]);
	close(pair[1]);
}

int main(int argc, char **argv)
{
	const struct sigaction on_term = { .sa_handler = serve_stop };
	static struct conf conf;
	char objects[300];
	struct err e;
	int pair[2];
	pid_t pid;

	if (argc != 5 || ipc_pair(pair, &e))
		return 2;
	log_init("objects", LOG_LEVEL_DEBUG);
	conf_defaults(&conf, "");
	snprintf(conf.data_dir, sizeof(conf.data_dir), "%s", argv[2]);
	snprintf(objects, sizeof(objects), "%s/objects", argv[2]);
	mkdir(argv[2], 0700);
	mkdir(objects, 0700);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		_exit(objects_main(&conf, pair[1]));
	}
	close(pair[1]);
	sigaction(SIGTERM, &on_term, NULL);
	serve_say(pair[0], SUPER_LISTENER, LISTENER_S3, (uint32_t)atoi(argv[1]),
		  serve_listen(atoi(argv[1])));
	serve_say(pair[0], SUPER_SECRET, SECRET_TLS_S3, 0, open(argv[3], O_RDONLY | O_CLOEXEC));
	serve_say(pair[0], SUPER_SECRET, SECRET_CREDENTIALS, 0,
		  open(argv[4], O_RDONLY | O_CLOEXEC));
	serve_access(pair[0]);
	serve_say(pair[0], SUPER_START, 0, 0, -1);
	return serve_wait(pid, pair[0]);
}
