#include "guest/metadata.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/agent.h"

#define METADATA_IP   "169.254.169.254"
#define METADATA_PORT 80
#define METADATA_PATH "/doze/lease"
#define METADATA_BODY 64 /* a number */

/* What a request says. */

/* The value of a field, or NULL. */
static const char *metadata_field(const char *head, const char *name)
{
	size_t size = strlen(name);

	for (const char *at = strchr(head, '\n'); at; at = strchr(at + 1, '\n'))
		if (!strncasecmp(at + 1, name, size) && at[size + 1] == ':')
			return at + size + 2 + strspn(at + size + 2, " \t");
	return NULL;
}

/* The status that the first line alone is answered with; 0: it is what is served. */
static unsigned metadata_line(const char *text)
{
	const char *path = strchr(text, ' ');
	size_t size = path ? strcspn(path + 1, " ?\r\n") : 0;

	if (!path || path[1] != '/')
		return 400;
	if (size != strlen(METADATA_PATH) || strncmp(path + 1, METADATA_PATH, size) != 0)
		return 404;
	return strncmp(text, "POST ", 5) != 0 ? 405 : 0;
}

/* @head holds the fields and nothing behind them.  Whoever was led here by a proxy is not the
 * application. */
static unsigned metadata_body(const char *head, const char *body, size_t has, uint64_t *seconds)
{
	const char *length = metadata_field(head, "content-length");
	unsigned long size = length ? strtoul(length, NULL, 10) : 0;

	if (metadata_field(head, "transfer-encoding"))
		return 411;
	if (metadata_field(head, "x-forwarded-for"))
		return 403;
	if (size > METADATA_BODY)
		return 413;
	if (has < size)
		return 0;
	*seconds = lease_seconds(body, size);
	return 204;
}

unsigned metadata_judge(const char *text, size_t n, uint64_t *seconds)
{
	const char *end = strstr(text, "\r\n\r\n");
	autofree char *head = NULL;
	unsigned status;

	if (!end && strlen(text) < n)
		return 400; /* a NUL is no text */
	if (!end)
		return n >= METADATA_BYTES ? 431 : 0;
	status = metadata_line(text);
	if (status)
		return status;
	head = xasprintf("%.*s", (int)(end + 2 - text), text);
	return metadata_body(head, end + 4, (size_t)(text + n - (end + 4)), seconds);
}

/* Clients. */

static void metadata_close(struct metadata_client *c)
{
	loop_unwatch(c->of->loop, &c->watch);
	loop_untimer(c->of->loop, &c->timer);
	fd_close(&c->fd);
}

static void metadata_late(struct timer *t)
{
	metadata_close(container_of(t, struct metadata_client, timer));
}

static void metadata_answer(struct metadata_client *c, unsigned status)
{
	char text[96];
	int n = snprintf(text, sizeof(text), "HTTP/1.1 %u %s\r\n%sConnection: close\r\n\r\n",
			 status, status == 204 ? "No Content" : "Refused",
			 status == 204 ? "" : "Content-Length: 0\r\n");

	(void)!send(c->fd, text, (size_t)n, MSG_NOSIGNAL);
	shutdown(c->fd, SHUT_RDWR);
	metadata_close(c);
}

static void metadata_ready(struct watch *w, uint32_t events)
{
	struct metadata_client *c = container_of(w, struct metadata_client, watch);
	ssize_t n = recv(c->fd, c->in + c->n, METADATA_BYTES - c->n, 0);
	uint64_t seconds = 0;
	unsigned status;

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		metadata_close(c);
		return;
	}
	c->n += (size_t)n;
	c->in[c->n] = '\0';
	status = metadata_judge(c->in, c->n, &seconds);
	if (status == 204)
		lease_for(c->of->lease, seconds);
	if (status)
		metadata_answer(c, status);
	else if (c->n == METADATA_BYTES)
		metadata_answer(c, 413);
}

static bool metadata_is_local(const struct sockaddr_in *peer)
{
	return peer->sin_addr.s_addr == inet_addr(SLOT_GUEST_IP) ||
	       ntohl(peer->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static struct metadata_client *metadata_free(struct metadata *m)
{
	for (size_t i = 0; i < METADATA_CLIENTS; i++)
		if (m->clients[i].fd < 0)
			return &m->clients[i];
	return NULL;
}

static void metadata_accept(struct watch *w, uint32_t events)
{
	struct metadata *m = container_of(w, struct metadata, watch);
	struct sockaddr_in peer;
	socklen_t size = sizeof(peer);
	int fd = accept4(w->fd, (struct sockaddr *)(void *)&peer, &size,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct metadata_client *c = fd < 0 ? NULL : metadata_free(m);
	struct err e;

	(void)events;
	if (!c || !metadata_is_local(&peer)) {
		fd_close(&fd);
		return;
	}
	*c = (struct metadata_client){ .of = m, .fd = fd };
	loop_timer(m->loop, &c->timer, METADATA_MS, metadata_late);
	if (loop_watch(m->loop, &c->watch, fd, EPOLLIN, metadata_ready, &e))
		metadata_close(c);
}

/* The way to here. */

/* At each connect of the container: if it is to METADATA_IP and METADATA_PORT, it is to us.  Fields
 * of the context are in network order. */
static int metadata_program(void)
{
#define LOAD(to, at)                                                              \
	{                                                                         \
		.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = (to), .src_reg = 1, \
		.off = offsetof(struct bpf_sock_addr, at)                         \
	}
#define SKIP_UNLESS(reg, value, n)                                                 \
	{                                                                          \
		.code = BPF_JMP32 | BPF_JNE | BPF_K, .dst_reg = (reg), .off = (n), \
		.imm = (int32_t)(value)                                            \
	}
#define SET(reg, value)                                                                      \
	{                                                                                    \
		.code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = (reg), .imm = (int32_t)(value) \
	}
#define STORE(at, from)                                                             \
	{                                                                           \
		.code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = 1, .src_reg = (from), \
		.off = offsetof(struct bpf_sock_addr, at)                           \
	}
	const struct bpf_insn program[] = {
		LOAD(2, user_ip4),
		SKIP_UNLESS(2, inet_addr(METADATA_IP), 6),
		LOAD(2, user_port),
		SKIP_UNLESS(2, htons(METADATA_PORT), 4),
		SET(2, inet_addr(SLOT_GUEST_IP)),
		STORE(user_ip4, 2),
		SET(2, htons(AGENT_METADATA_PORT)),
		STORE(user_port, 2),
		SET(0, 1),
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
		.expected_attach_type = BPF_CGROUP_INET4_CONNECT,
		.insns = (uintptr_t)program,
		.insn_cnt = ARRAY_SIZE(program),
		.license = (uintptr_t) "GPL",
	};

	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

/* The root's group holds the application's, which is made later. */
static bool metadata_lead(void)
{
	autoclose int program = metadata_program();
	autoclose int group = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	union bpf_attr attr = { 0 };

	if (program < 0 || group < 0)
		return false;
	attr.target_fd = (uint32_t)group;
	attr.attach_bpf_fd = (uint32_t)program;
	attr.attach_type = BPF_CGROUP_INET4_CONNECT;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	return !syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof(attr));
}

int metadata_open(struct metadata *m, struct loop *l, struct lease *lease, struct err *e)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(AGENT_METADATA_PORT),
		.sin_addr.s_addr = inet_addr(SLOT_GUEST_IP),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	m->loop = l;
	m->lease = lease;
	for (size_t i = 0; i < METADATA_CLIENTS; i++)
		m->clients[i].fd = -1;
	if (fd < 0 || bind(fd, (struct sockaddr *)(void *)&at, sizeof(at)) ||
	    listen(fd, METADATA_CLIENTS))
		return err_sys(e, "listen for " METADATA_IP);
	if (!metadata_lead())
		log_warn("the kernel leads nobody to " METADATA_IP);
	return loop_watch(l, &m->watch, fd, EPOLLIN, metadata_accept, e);
}
