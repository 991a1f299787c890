#include "ipc/chan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CHAN_MAX      (8 * MIB)
#define CHAN_PAUSE_NS 1000000

struct chan_item {
	struct list in;
	struct ipc_head head;
	unsigned n_fds;
	int fds[LIMIT_IPC_FDS];
	uint8_t body[];
};

union fd_control {
	struct cmsghdr align;
	char room[CMSG_SPACE(sizeof(int) * LIMIT_IPC_FDS)];
};

bool ipc_check(const struct ipc_msg *m, const struct ipc_row *rows, size_t n_rows)
{
	const struct ipc_row *row;

	if (m->head.type >= n_rows || m->head.size > LIMIT_IPC_BODY)
		return false;
	row = &rows[m->head.type];
	return row->name && m->head.size >= row->size && m->head.size - row->size <= row->more &&
	       m->n_fds >= row->min_fds && m->n_fds <= row->max_fds;
}

static void msg_set_fds(struct msghdr *msg, union fd_control *control, const int *fds, unsigned n)
{
	struct cmsghdr *c;

	if (!n)
		return;
	msg->msg_control = control->room;
	msg->msg_controllen = CMSG_SPACE(sizeof(int) * n);
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
}

/* A host that is short of memory says nothing about the other side, which may hold the only copy of
 * a guest.  The pause keeps a loop from trying again at once and for ever. */
static int ipc_failed(int error)
{
	static const int shortages[] = { ENOMEM, ENOBUFS, ETOOMANYREFS };

	for (size_t i = 0; i < ARRAY_SIZE(shortages); i++)
		if (error == shortages[i]) {
			nanosleep(&(struct timespec){ .tv_nsec = CHAN_PAUSE_NS }, NULL);
			return -EAGAIN;
		}
	return -error;
}

int ipc_send(int sock, const struct ipc_head *head, const void *body, const int *fds,
	     unsigned n_fds)
{
	struct ipc_head h = *head;
	/* sendmsg does not write through iov_base. */
	struct iovec iov[2] = { { &h, sizeof(h) }, { (void *)(uintptr_t)body, h.size } };
	union fd_control control = { 0 };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	assert(h.size <= LIMIT_IPC_BODY && n_fds <= LIMIT_IPC_FDS);
	msg_set_fds(&msg, &control, fds, n_fds);
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? ipc_failed(errno) : 0;
}

static void msg_take_fds(struct msghdr *msg, struct ipc_msg *m)
{
	m->n_fds = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		m->n_fds = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(m->fds, CMSG_DATA(c), sizeof(int) * m->n_fds);
	}
}

int ipc_recv(int sock, struct ipc_msg *m, const struct ipc_row *rows, size_t n_rows)
{
	struct iovec iov[2] = { { &m->head, sizeof(m->head) }, { m->body, sizeof(m->body) } };
	union fd_control control;
	struct msghdr msg = { .msg_iov = iov,
			      .msg_iovlen = 2,
			      .msg_control = control.room,
			      .msg_controllen = sizeof(control.room) };
	ssize_t n;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return ipc_failed(errno);
	msg_take_fds(&msg, m);
	if (!n && !m->n_fds)
		return 0;
	if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || (size_t)n < sizeof(m->head) ||
	    (size_t)n - sizeof(m->head) != m->head.size || !ipc_check(m, rows, n_rows)) {
		ipc_msg_close(m);
		return -EBADMSG;
	}
	return 1;
}

void ipc_msg_close(struct ipc_msg *m)
{
	for (unsigned i = 0; i < m->n_fds; i++)
		fd_close(&m->fds[i]);
	m->n_fds = 0;
}

int ipc_msg_take_fd(struct ipc_msg *m, unsigned i)
{
	return i < m->n_fds ? fd_steal(&m->fds[i]) : -1;
}

void chan_init(struct chan *c, int sock, const struct ipc_row *rows, size_t n_rows)
{
	*c = (struct chan){ .sock = sock, .rows = rows, .n_rows = n_rows };
	list_init(&c->queue);
}

static void chan_drop(struct chan *c, struct chan_item *item)
{
	for (unsigned i = 0; i < item->n_fds; i++)
		fd_close(&item->fds[i]);
	c->queued -= item->head.size;
	list_del(&item->in);
	free(item);
}

void chan_close(struct chan *c)
{
	list_each(item, &c->queue, struct chan_item, in) chan_drop(c, item);
	fd_close(&c->sock);
}

static int chan_queue(struct chan *c, const struct ipc_head *head, const void *body, const int *fds,
		      unsigned n_fds)
{
	struct chan_item *item;

	if (c->queued + head->size > CHAN_MAX)
		return -ENOBUFS;
	item = xcalloc(1, sizeof(*item) + head->size);
	item->head = *head;
	if (head->size)
		memcpy(item->body, body, head->size);
	for (; item->n_fds < n_fds; item->n_fds++)
		item->fds[item->n_fds] = fcntl(fds[item->n_fds], F_DUPFD_CLOEXEC, 3);
	list_add(&c->queue, &item->in);
	c->queued += head->size;
	return 0;
}

int chan_send(struct chan *c, uint32_t type, uint64_t tag, const void *body, size_t size,
	      const int *fds, unsigned n_fds)
{
	struct ipc_head head = { .type = type, .size = (uint32_t)size, .tag = tag };
	int rc = -EAGAIN;

	assert(type < c->n_rows && c->rows[type].name && size >= c->rows[type].size);
	if (c->sock < 0)
		return -ENOTCONN;
	if (list_empty(&c->queue))
		rc = ipc_send(c->sock, &head, body, fds, n_fds);
	return rc == -EAGAIN ? chan_queue(c, &head, body, fds, n_fds) : rc;
}

int chan_flush(struct chan *c)
{
	list_each(item, &c->queue, struct chan_item, in)
	{
		int rc = ipc_send(c->sock, &item->head, item->body, item->fds, item->n_fds);

		if (rc)
			return rc == -EAGAIN ? 0 : rc;
		chan_drop(c, item);
	}
	return 0;
}

bool chan_wants_write(const struct chan *c)
{
	return c->sock >= 0 && !list_empty(&c->queue);
}

uint64_t chan_tag(struct chan *c)
{
	return ++c->next_tag;
}

int ipc_pair(int pair[2], struct err *e)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return err_sys(e, "make a socket pair");
	return 0;
}

int ipc_connect(const char *path, int type, struct err *e)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	autoclose int fd = -1;

	if (strlen(path) >= sizeof(to.sun_path))
		return err_set(e, ERR_INVALID, "the socket path '%s' is too long", path);
	memcpy(to.sun_path, path, strlen(path) + 1);
	/* A listener that does not accept must not hold us up: EAGAIN if its queue is full. */
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, "make a socket");
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)))
		return err_sys(e, "connect to '%s'", path);
	return fd_steal(&fd);
}
