#include "qemu/qmp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"

#define QMP_MAX_LINE (1 * MIB)

static void qmp_end(struct qmp *q)
{
	loop_unwatch(q->loop, &q->watch);
	fd_close(&q->fd);
	q->ops->ended(q);
}

static void qmp_greeting(struct qmp *q, const json_t *greeting)
{
	const json_t *at = json_object_get(json_object_get(greeting, "version"), "qemu");
	char version[64];

	snprintf(version, sizeof(version), "%d.%d.%d",
		 (int)json_integer_value(json_object_get(at, "major")),
		 (int)json_integer_value(json_object_get(at, "minor")),
		 (int)json_integer_value(json_object_get(at, "micro")));
	q->ops->greeted(q, version);
}

/* Returns false for an answer without a command. */
static bool qmp_answered(struct qmp *q, const json_t *result, const json_t *error)
{
	const char *desc = json_string_value(json_object_get(error, "desc"));
	qmp_answer *done;
	struct err why;

	if (!q->n_waiting)
		return false;
	done = q->waiting[q->first];
	q->first = (q->first + 1) % QMP_MAX_WAITING;
	q->n_waiting--;
	if (error)
		err_set(&why, ERR_INTERNAL, "QEMU refused: %s", desc ? desc : "it did not say why");
	if (done)
		done(q, error ? NULL : result, error ? &why : NULL);
	return true;
}

static bool qmp_line(struct qmp *q, const char *text, size_t size)
{
	json_t *line = json_loadb(text, size, 0, NULL);
	const json_t *greeting = json_object_get(line, "QMP");
	const json_t *result = json_object_get(line, "return");
	const json_t *error = json_object_get(line, "error");
	const char *event = json_string_value(json_object_get(line, "event"));
	bool understood = true;

	if (greeting)
		qmp_greeting(q, greeting);
	else if (result || error)
		understood = qmp_answered(q, result, error);
	else if (event)
		q->ops->event(q, event, json_object_get(line, "data"));
	else
		understood = false;
	json_decref(line);
	return understood;
}

static void qmp_ready(struct watch *w, uint32_t events)
{
	struct qmp *q = container_of(w, struct qmp, watch);
	const char *end;
	ssize_t n;

	(void)events;
	buf_reserve(&q->in, 16 * KIB);
	n = recv(q->fd, q->in.data + q->in.size, 16 * KIB, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || q->in.size + (size_t)n > QMP_MAX_LINE) {
		qmp_end(q);
		return;
	}
	q->in.size += (size_t)n;
	while (q->fd >= 0 && q->in.size && (end = memchr(q->in.data, '\n', q->in.size))) {
		size_t size = (size_t)(end - (const char *)q->in.data);

		if (!qmp_line(q, (const char *)q->in.data, size)) {
			qmp_end(q);
			return;
		}
		if (q->in.size)
			buf_drop(&q->in, size + 1);
	}
}

int qmp_open(struct qmp *q, struct loop *l, int fd, const struct qmp_ops *ops, struct err *e)
{
	*q = (struct qmp){ .loop = l, .ops = ops, .fd = fd };
	if (io_nonblock(fd))
		return err_sys(e, "set the connection to QEMU non-blocking");
	return loop_watch(l, &q->watch, fd, EPOLLIN, qmp_ready, e);
}

void qmp_close(struct qmp *q)
{
	if (q->fd >= 0)
		loop_unwatch(q->loop, &q->watch);
	fd_close(&q->fd);
	buf_free(&q->in);
	q->n_waiting = 0;
}

/* Commands are short and the socket's buffer is large, so a command that does not fit means that
 * QEMU is stuck. */
static int qmp_write(struct qmp *q, const char *line, size_t size, int fd)
{
	ssize_t n = io_send_fd(q->fd, line, size, fd, 0);

	if (n == (ssize_t)size)
		return 0;
	errno = n < 0 ? (int)-n : EAGAIN;
	return -1;
}

int qmp_send(struct qmp *q, const char *command, json_t *args, int fd, qmp_answer *done,
	     struct err *e)
{
	json_t *line = json_pack("{s:s, s:o*}", "execute", command, "arguments", args);
	autofree char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;

	json_decref(line);
	if (!text)
		abort(); /* Either memory ran out, or our arguments are not JSON. */
	if (q->fd < 0)
		return err_set(e, ERR_CONFLICT, "QEMU is not running");
	if (q->n_waiting == QMP_MAX_WAITING)
		return err_set(e, ERR_INTERNAL, "QEMU does not answer");
	if (qmp_write(q, text, strlen(text), fd))
		return err_sys(e, "send '%s' to QEMU", command);
	q->waiting[(q->first + q->n_waiting++) % QMP_MAX_WAITING] = done;
	return 0;
}
