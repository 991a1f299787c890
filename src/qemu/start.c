#include "qemu/start.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"

#define START_MAX_VCPUS 64
#define START_LATE_MS   5000 /* for QEMU to end after its connection has */

int start_check_shape(const struct machine_shape *shape, struct err *e)
{
	if (!shape->vcpus || shape->vcpus > START_MAX_VCPUS)
		return err_set(e, ERR_INVALID, "a machine has 1 to %d vCPUs, not %u",
			       START_MAX_VCPUS, shape->vcpus);
	if (shape->memory_mib < 64 || shape->memory_mib > 1024 * 1024)
		return err_set(e, ERR_INVALID, "a machine has 64 to 1048576 MiB of memory, not %u",
			       shape->memory_mib);
	return 0;
}

static void start_greeted(struct qmp *q, const char *version)
{
	struct machine *m = container_of(q, struct machine, qmp);

	snprintf(m->host.qemu, sizeof(m->host.qemu), "%.31s", version);
	machine_next(m);
}

static void start_event(struct qmp *q, const char *name, const json_t *data)
{
	struct machine *m = container_of(q, struct machine, qmp);
	const char *reason = json_string_value(json_object_get(data, "reason"));

	if (!strcmp(name, "SHUTDOWN"))
		snprintf(m->shutdown, sizeof(m->shutdown), "%s", reason ? reason : "unknown");
	else if (!strcmp(name, "MIGRATION"))
		restore_loading(m, json_string_value(json_object_get(data, "status")));
	else if (!strcmp(name, "BLOCK_JOB_COMPLETED"))
		flatten_ended(m, json_string_value(json_object_get(data, "error")));
	else if (!strcmp(name, "BLOCK_IO_ERROR"))
		log_warn("The disk failed operation=%s reason='%s'",
			 json_string_value(json_object_get(data, "operation")),
			 reason ? reason : "unknown");
}

static void start_late(struct timer *t)
{
	machine_end(container_of(t, struct machine, doom), "QEMU closed its control connection");
}

/* QEMU's process ends a moment later and gives the reason. */
static void start_ended(struct qmp *q)
{
	struct machine *m = container_of(q, struct machine, qmp);

	if (m->owner.run != MACHINE_ENDING)
		loop_timer(m->loop, &m->doom, START_LATE_MS, start_late);
}

static const struct qmp_ops start_qmp_ops = {
	.greeted = start_greeted,
	.event = start_event,
	.ended = start_ended,
};

#define START_MAX_WORDS 300

/* QEMU names the option, which may be long, before its reason. */
static const char *start_reason(const struct tail *t)
{
	size_t size = strlen(t->last);

	return size > START_MAX_WORDS ? t->last + size - START_MAX_WORDS : t->last;
}

static void start_explain(const struct machine *m, struct err *why)
{
	int status = m->qemu.status;

	if (WIFSIGNALED(status))
		err_set(why, ERR_INTERNAL, "QEMU was killed by signal %d%s%s", WTERMSIG(status),
			m->errors.last[0] ? ": " : "", start_reason(&m->errors));
	else if (m->errors.last[0])
		err_set(why, ERR_INTERNAL, "QEMU ended: %s", start_reason(&m->errors));
	else if (m->shutdown[0])
		err_set(why, ERR_INTERNAL, "the guest ended: %s%s%s", m->shutdown,
			m->console.last[0] ? "; its console says: " : "",
			start_reason(&m->console));
	else
		err_set(why, ERR_INTERNAL, "QEMU ended with status %d", WEXITSTATUS(status));
}

static void start_died(struct child *c)
{
	struct machine *m = container_of(c, struct machine, qemu);
	struct err why;

	loop_untimer(m->loop, &m->doom);
	tail_read(&m->errors);
	tail_read(&m->console);
	tail_close(&m->errors);
	tail_close(&m->console);
	qmp_close(&m->qmp);
	if (m->quitting && WIFEXITED(c->status) && !WEXITSTATUS(c->status)) {
		machine_next(m);
		return;
	}
	port_drain(&m->port);
	start_explain(m, &why);
	machine_fail(m, &why);
	machine_end(m, "%s", why.text);
}

/* [0] is our end, [1] is QEMU's. */
static int start_pair(int pair[2], struct err *e)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return err_sys(e, "make a socket pair");
	return 0;
}

static int start_connect(struct machine *m, const int qmp[2], const int agent[2],
			 const int console[2], const int errors[2], struct err *e)
{
	if (tail_open(&m->errors, m->loop, "QEMU", errors[0], e) ||
	    qmp_open(&m->qmp, m->loop, qmp[0], &start_qmp_ops, e) ||
	    port_open(&m->port, agent[0], e))
		return -1;
	agent_kick(&m->port.agent);
	if (console[0] < 0)
		return 0;
	if (tail_open(&m->console, m->loop, "console", console[0], e))
		return -1;
	m->console.all = &m->said;
	return 0;
}

enum step start_qemu(struct machine *m, struct qemu_args *a, struct err *e)
{
	int qmp[2] = { -1, -1 }, agent[2] = { -1, -1 }, console[2] = { -1, -1 };
	int errors[2] = { -1, -1 };
	struct argv argv;
	int rc = -1;

	a->qemu = m->program;
	a->shape = m->shape;
	a->memory = m->memory_fd;
	a->overlay = m->overlay_fd;
	a->tap = MACHINE_FD_TAP;
	if (!start_pair(qmp, e) && !start_pair(agent, e) && !start_pair(errors, e) &&
	    (a->kernel < 0 || !start_pair(console, e))) {
		const int keep[] = { qmp[1],    agent[1],  console[1], a->tap,
				     a->memory, a->kernel, a->initrd,  a->root,
				     a->disk,   a->save,   a->overlay, a->state };

		a->qmp = qmp[1];
		a->agent = agent[1];
		a->console = console[1];
		args_build(&argv, a);
		rc = child_exec(&m->qemu, m->loop,
				&(struct child_how){ argv.at, keep, ARRAY_SIZE(keep), errors[1] },
				start_died, e);
		argv_free(&argv);
	}
	fd_close(&qmp[1]);
	fd_close(&agent[1]);
	fd_close(&console[1]);
	fd_close(&errors[1]);
	if (!rc)
		rc = start_connect(m, qmp, agent, console, errors, e);
	return rc ? STEP_FAULT : STEP_WAIT;
}

enum step start_negotiate(struct machine *m, struct err *e)
{
	return machine_ask(m, "qmp_capabilities", NULL, -1, e);
}

/* The hash of the words in the order in which QEMU lists them. */
static void start_words(struct qmp *q, const json_t *words, const struct err *why)
{
	struct machine *m = container_of(q, struct machine, qmp);
	autofree char *text = words ? json_dumps(words, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	if (why || !text) {
		struct err e;

		err_set(&e, ERR_INTERNAL, "read the guest's CPU features: %s",
			why ? why->text : "no answer");
		machine_fail(m, &e);
		return;
	}
	m->host.cpuid = hash_fnv1a_64(text, strlen(text));
	machine_next(m);
}

/* The board creates the first vCPU before all other devices. */
enum step start_cpu(struct machine *m, struct err *e)
{
	json_t *args = json_pack("{s:s, s:s}", "path", "/machine/unattached/device[0]", "property",
				 "feature-words");

	return qmp_send(&m->qmp, "qom-get", args, -1, start_words, e) ? STEP_FAULT : STEP_WAIT;
}
