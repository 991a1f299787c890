#include "cli/forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define FORWARD_TOKEN_MS (30 * 60 * 1000) /* half of its life */
#define FORWARD_BACKLOG  128

int forward_renew(struct forward *f)
{
	struct err e;
	char *token;

	if (f->token && clock_boot_ms() - f->token_ms < FORWARD_TOKEN_MS)
		return 0;
	token = curl_token(f->client, f->id, f->port.port, &e);
	if (!token) {
		say(&e);
		return -1;
	}
	free(f->token);
	f->token = token;
	f->token_ms = clock_boot_ms();
	return 0;
}

void forward_serve(const struct forward *f, int local)
{
	autofree char *fields = xasprintf("X-aws-proxy-port: %u\r\n", f->port.port);
	const struct endpoint_ask ask = { .host = f->host,
					  .via = client_endpoint_host(f->client),
					  .ca_file = f->client->ca_file,
					  .token = f->token,
					  .target = "/",
					  .upgrade = f->port.datagrams ? "doze-udp" : "doze-tcp",
					  .fields = fields,
					  .give_up = -1 };
	struct endpoint p;
	struct err e;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (endpoint_open(&p, &ask, &e)) {
		say_text("port %u of %s: %s", f->port.port, f->id, e.text);
		_exit(1);
	}
	if (f->port.datagrams)
		forward_pump_datagrams(&p, local);
	else
		forward_pump_bytes(&p, local);
	_exit(0);
}

static void forward_clients(struct forward *f)
{
	for (;;) {
		autoclose int fd = accept4(f->fd, NULL, NULL, SOCK_CLOEXEC);
		pid_t pid;

		if (fd < 0 || forward_renew(f))
			continue;
		pid = fork();
		if (!pid)
			forward_serve(f, fd);
		if (pid < 0)
			say_text("cannot serve a client: %s", strerror(errno));
	}
}

/* Leaves the port that it got in f->port.local. */
static int forward_listen(struct forward *f, const char *address, struct err *e)
{
	struct sockaddr_storage at = { .ss_family = strchr(address, ':') ? AF_INET6 : AF_INET };
	struct sockaddr_in6 *six = (void *)&at;
	struct sockaddr_in *four = (void *)&at;
	bool is_six = at.ss_family == AF_INET6;
	socklen_t size = is_six ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	in_port_t *port = is_six ? &six->sin6_port : &four->sin_port;

	if (inet_pton(at.ss_family, address,
		      is_six ? (void *)&six->sin6_addr : (void *)&four->sin_addr) != 1)
		return err_set(e, ERR_INVALID, "'%s' is no IP address to listen on", address);
	*port = htons(f->port.local);
	f->fd = socket(at.ss_family, (f->port.datagrams ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC,
		       0);
	if (f->fd >= 0 && !f->port.datagrams)
		setsockopt(f->fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (f->fd < 0 || bind(f->fd, (struct sockaddr *)&at, size) ||
	    (!f->port.datagrams && listen(f->fd, FORWARD_BACKLOG)) ||
	    getsockname(f->fd, (struct sockaddr *)&at, &size))
		return err_sys(e, "listen on port %u of %s; PORT:LOCAL names another",
			       f->port.local, address);
	f->port.local = ntohs(*port);
	return 0;
}

static int forward_run(struct forward *f, const char *address)
{
	struct err e;

	/* A token at once, so that who may not have one hears it now. */
	if (forward_renew(f))
		return 1;
	if (forward_listen(f, address, &e))
		return say(&e);
	port_words_print(address, f->port.local, f->id, &f->port);
	fflush(stdout);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN); /* nobody waits for those that serve */
	if (f->port.datagrams)
		forward_datagrams(f);
	else
		forward_clients(f);
	return 0;
}

int cmd_forward(struct client *c, const struct typed *t)
{
	const char *address = typed_option(t, "--listen");
	struct forward f = { .client = c, .fd = -1 };
	autofree char *id = NULL, *path = NULL;
	struct err e;
	json_t *vm;
	int rc;

	if (port_words_read_pair(t->words.at[1], &f.port, &e))
		return say(&e);
	f.port.datagrams = typed_option(t, "--udp");
	id = name_microvm(c, t->words.at[0], &e);
	if (!id)
		return say(&e);
	path = xasprintf("/2025-09-09/microvms/%s", id);
	vm = client_json(c, "GET", path, NULL, &e);
	if (!vm)
		return say(&e);
	f.id = id;
	f.host = json_text(vm, "endpoint");
	rc = forward_run(&f, address ? address : "127.0.0.1");
	json_decref(vm);
	free(f.token);
	fd_close(&f.fd);
	return rc;
}
