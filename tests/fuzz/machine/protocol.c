/* The machine protocol as a monitor hears it: datagrams of an owner that keeps to nothing, with
 * descriptors. What is passed on fits its row, is served by the rule of its state alone, and no
 * descriptor stays open.
 *
 * The input is a row of datagrams: one byte (4 bits: how many descriptors; 0x10: a right header
 * goes before it; 0x20: the owner leaves and another comes), length (2 bytes), type (1 byte, of the
 * header), that many bytes. */

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "machine/owner.h"

#define FDS_MAX     15U
#define WHOLE       0x10U
#define ANOTHER     0x20U
#define PIECE       4U
#define LOOP_ROUNDS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct owner owner;
	struct agent agent;
	bool busy;
} host;
static unsigned heard; /* answers and events */

static const char *host_busy(struct owner *o)
{
	(void)o;
	return host.busy ? "save" : NULL;
}

static void host_ending(struct owner *o)
{
	(void)o;
	host.busy = false;
}

static void printf_like(2, 3) host_end(struct owner *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	owner_end(o, fmt, ap);
	va_end(ap);
}

static void host_moved(struct agent *a)
{
	buf_drop(&a->to_guest, a->to_guest.size); /* the guest reads it all */
}

static void host_take(struct owner *o, struct ipc_msg *m)
{
	static const enum machine_run after[MACHINE_NUM_TYPES] = {
		[MACHINE_BOOT] = MACHINE_RUNNING,    [MACHINE_RESTORE] = MACHINE_PAUSED,
		[MACHINE_PAUSE] = MACHINE_PAUSED,    [MACHINE_CONTINUE] = MACHINE_RUNNING,
		[MACHINE_SNAPSHOT] = MACHINE_PAUSED, [MACHINE_SAVE] = MACHINE_PAUSED,
	};
	const struct ipc_row *row = &machine_rows[m->head.type];
	struct err e;

	if (m->head.type >= MACHINE_NUM_TYPES || m->head.size < row->size ||
	    m->head.size > row->size + row->more || m->n_fds < row->min_fds ||
	    m->n_fds > row->max_fds || o->run == MACHINE_ENDING)
		__builtin_trap();
	for (unsigned i = 0; i < m->n_fds; i++)
		if (fcntl(m->fds[i], F_GETFD) != FD_CLOEXEC)
			__builtin_trap();
	if (m->n_fds)
		close(ipc_msg_take_fd(m, 0));
	if (m->head.type == MACHINE_STOP) {
		host_end(o, "stopped by its owner");
		return;
	}
	if (m->head.type == MACHINE_AGENT) {
		if (agent_put_bytes(o->agent, m->body, m->head.size, &e))
			peer_send_fault(&o->peer, m->head.tag, &e);
		return;
	}
	if (after[m->head.type])
		o->run = after[m->head.type];
	host.busy = m->head.type == MACHINE_SAVE || m->head.type == MACHINE_SNAPSHOT;
	owner_ready(o, m->head.tag);
}

/* All requests but those that no snapshot depends on. */
static const struct owner_ops host_ops = {
	.kind = "fuzz",
	.take = {
		[MACHINE_BOOT] = host_take,
		[MACHINE_SNAPSHOT] = host_take,
		[MACHINE_SAVE] = host_take,
		[MACHINE_RESTORE] = host_take,
		[MACHINE_PAUSE] = host_take,
		[MACHINE_CONTINUE] = host_take,
		[MACHINE_STOP] = host_take,
		[MACHINE_GET_STATS] = host_take,
		[MACHINE_AGENT] = host_take,
	},
	.busy = host_busy,
	.ending = host_ending,
};

static int listen_somewhere(struct sockaddr_un *at, socklen_t *size)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*size = sizeof(at->sun_family); /* a name of the kernel's choice, in no file system */
	if (fd < 0 || bind(fd, (struct sockaddr *)at, *size) || listen(fd, 1))
		__builtin_trap();
	*size = sizeof(*at);
	if (getsockname(fd, (struct sockaddr *)at, size))
		__builtin_trap();
	return fd;
}

static int owner_comes(const struct sockaddr_un *at, socklen_t size)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)at, size))
		__builtin_trap();
	return fd;
}

static void owner_sends(int fd, unsigned how, uint8_t type, const uint8_t *bytes, size_t size)
{
	struct ipc_head head = { .type = type, .size = (uint32_t)size, .tag = 1 };
	struct iovec iov[2] = { { &head, sizeof(head) },
				{ (void *)(uintptr_t)bytes, size } }; /* sendmsg only reads */
	unsigned n_fds = how & FDS_MAX;
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control = { 0 };
	struct msghdr msg = { .msg_iov = how & WHOLE ? iov : iov + 1,
			      .msg_iovlen = how & WHOLE ? 2 : 1 };

	if (n_fds) {
		msg.msg_control = control.room;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int) * n_fds),
						  .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS };
		for (unsigned i = 0; i < n_fds; i++)
			memcpy(CMSG_DATA(&control.align) + i * sizeof(int), &fd, sizeof(int));
	}
	(void)!sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void owner_hears(int fd)
{
	static uint8_t answer[sizeof(struct ipc_head) + LIMIT_IPC_BODY];

	while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		heard++;
}

static void round_over(struct timer *t)
{
	(void)t;
	loop_stop(host.owner.loop);
}

static void loop_rounds(struct loop *l)
{
	struct timer over = { 0 };
	struct err e;

	for (unsigned i = 0; i < LOOP_ROUNDS; i++) {
		loop_timer(l, &over, 0, round_over);
		if (loop_run(l, &e))
			__builtin_trap();
		loop_untimer(l, &over); /* a machine that ends stops the loop too */
	}
}

static void play(struct loop *l, const struct sockaddr_un *at, socklen_t at_size,
		 const uint8_t *data, size_t size)
{
	int owner = owner_comes(at, at_size);

	loop_rounds(l);
	owner_hears(owner);
	while (size >= PIECE) {
		unsigned how = data[0];
		size_t length = (size_t)data[1] | (size_t)data[2] << 8;
		uint8_t type = data[3];

		data += PIECE;
		size -= PIECE;
		length = length < size ? length : size;
		if (how & ANOTHER) {
			close(owner);
			owner = owner_comes(at, at_size);
			loop_rounds(l);
		}
		owner_sends(owner, how, type, data, length);
		loop_rounds(l);
		owner_hears(owner);
		data += length;
		size -= length;
	}
	close(owner);
	loop_rounds(l);
}

static int next_fd(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int before = next_fd();
	struct sockaddr_un at;
	socklen_t at_size;
	int listening = listen_somewhere(&at, &at_size);
	struct loop *l;
	struct err e;

	log_init("fuzz", LOG_LEVEL_ERR);
	l = loop_new(&e);
	memset(&host, 0, sizeof(host));
	heard = 0;
	host.agent = (struct agent){ .moved = host_moved, .open = true };
	if (!l || owner_open(&host.owner, l, listening, &host_ops, &host.agent, &e))
		__builtin_trap();
	play(l, &at, at_size, data, size);
	if (!heard) /* HELLO, to whom keeps to nothing too */
		__builtin_trap();
	owner_close(&host.owner);
	agent_free(&host.agent);
	loop_free(l);
	close(listening);
	if (next_fd() != before)
		__builtin_trap();
	return 0;
}
