#include "qemu/explain.h"

#include <string.h>

#include "base/io.h"

#define EXPLAIN_QEMU_MS 3000
#define EXPLAIN_MAX     (256 * KIB) /* of each answer */

static const char *const explain_questions[] = { "info status", "info registers -a", "info lapic",
						 "info pic" };

static void explain_write(struct explain *x, const char *text, size_t size)
{
	if (x->fd >= 0 && io_write_full(x->fd, text, size < EXPLAIN_MAX ? size : EXPLAIN_MAX))
		fd_close(&x->fd); /* the disk is full */
}

static void explain_end(struct explain *x)
{
	explain_close(x);
	x->done(x);
}

static void explain_late(struct timer *t)
{
	static const char text[] = "QEMU does not answer.\n";
	struct explain *x = container_of(t, struct explain, late);

	explain_write(x, text, sizeof(text) - 1);
	explain_end(x);
}

static void explain_ask(struct explain *x);

void explain_answered(struct explain *x, const json_t *result, const struct err *why)
{
	const char *text = why ? why->text : json_string_value(result);

	x->asked = false;
	if (!x->open)
		return;
	if (text)
		explain_write(x, text, strlen(text));
	x->at++;
	explain_ask(x);
}

static void explain_ask(struct explain *x)
{
	autobuf struct buf text = { 0 };
	struct err e;

	if (x->at == ARRAY_SIZE(explain_questions)) {
		explain_end(x);
		return;
	}
	buf_addf(&text, "\n# %s\n", explain_questions[x->at]);
	explain_write(x, (const char *)text.data, text.size);
	if (qmp_send(x->qmp, "human-monitor-command",
		     json_pack("{s:s}", "command-line", explain_questions[x->at]), -1, x->answered,
		     &e)) {
		explain_write(x, e.text, strlen(e.text));
		explain_end(x);
		return;
	}
	x->asked = true;
}

int explain_begin(struct explain *x, int fd, const struct buf *known, struct err *e)
{
	if (x->open || x->asked) {
		fd_close(&fd);
		return err_set(e, ERR_CONFLICT, "the machine explains itself already");
	}
	x->fd = fd;
	x->at = 0;
	x->open = true;
	loop_timer(x->loop, &x->late, EXPLAIN_QEMU_MS, explain_late);
	explain_write(x, (const char *)known->data, known->size);
	explain_ask(x);
	return 0;
}

void explain_close(struct explain *x)
{
	loop_untimer(x->loop, &x->late);
	fd_close(&x->fd);
	x->open = false;
}
