#include "guest/agent.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "guest/app.h"
#include "guest/check.h"
#include "guest/exercise.h"
#include "guest/hooks.h"
#include "guest/lease.h"
#include "guest/listen.h"
#include "guest/metadata.h"
#include "guest/resume.h"
#include "guest/sample.h"
#include "guest/shell.h"
#include "guest/streams.h"

#define AGENT_FILES (2 * STREAMS_MAX + 512) /* a shell has up to three */

struct agent {
	struct loop *loop;
	struct port port;
	struct app app;
	struct hooks hooks;
	struct lease lease;
	struct metadata metadata;
	struct listen listen;
	struct sampler sampler;
	struct check check;
	struct resume resume;
	struct streams streams;
	struct shells shells;
	struct exercising exercising;
	uint64_t warm_id; /* of the WARM that waits for the exercise */
	struct watch children;
	int diag_fd;
};

static void agent_start(struct agent *a, const struct agent_frame *f)
{
	if (a->app.started)
		return;
	app_start(&a->app, &a->port, f);
	listen_start(&a->listen, &a->port, a->diag_fd);
	sample_start(&a->sampler, &a->port, &a->app.logs);
}

/* What is told only while an image is made. */
static void agent_stop_telling(struct agent *a)
{
	listen_stop(&a->listen);
	sample_stop(&a->sampler);
}

static void agent_ack(struct agent *a, const struct agent_frame *f)
{
	uint64_t id;

	if (agent_get_u64(f, FIELD_ID, &id))
		port_send_id(&a->port, AGENT_ACK, id);
}

static void agent_resumed(struct agent *a, const struct agent_frame *f)
{
	resume_apply(&a->resume, f);
	metadata_renew(&a->metadata);
	agent_stop_telling(a);
	lease_tell(&a->lease);
	streams_reset(&a->streams);
	shells_reset(&a->shells);
	agent_ack(a, f);
}

static void agent_warmed(struct exercising *x)
{
	struct agent *a = container_of(x, struct agent, exercising);

	resume_rehearse(&a->resume);
	if (a->app.pid) /* one that has ended opens nothing any more */
		streams_note_ports(&a->streams);
	port_send_id(&a->port, AGENT_ACK, a->warm_id);
}

/* Every clone would have to write what is not on the disk yet. */
static void agent_prepared(struct exercising *x)
{
	sync();
	agent_warmed(x);
}

/* The first one comes before the snapshot. */
static void agent_warm(struct agent *a, const struct agent_frame *f)
{
	bool first = a->listen.timer.active;
	uint64_t exercise = 0;

	if (!agent_get_u64(f, FIELD_ID, &a->warm_id))
		return;
	agent_stop_telling(a);
	resume_renew(&a->resume, f);
	if (!agent_get_u64(f, FIELD_EXERCISE, &exercise) || !exercise)
		(first ? agent_prepared : agent_warmed)(&a->exercising);
	else if (first)
		exercise_prepare(&a->exercising, agent_prepared);
	else
		exercise_again(&a->exercising, agent_warmed);
}

static void agent_hook(struct agent *a, const struct agent_frame *f)
{
	hooks_add(&a->hooks, f);
}

static void agent_check(struct agent *a, const struct agent_frame *f)
{
	check_add(&a->check, f, a->app.pid);
}

static void agent_metadata(struct agent *a, const struct agent_frame *f)
{
	metadata_put(&a->metadata, f);
}

/* What the host may ask.  Other types belong to a later protocol and are skipped. */
static void (*const agent_frames[AGENT_NUM_TYPES])(struct agent *a, const struct agent_frame *f) = {
	[AGENT_START] = agent_start, [AGENT_RESUMED] = agent_resumed,
	[AGENT_HOOK] = agent_hook,   [AGENT_WARM] = agent_warm,
	[AGENT_CHECK] = agent_check, [AGENT_METADATA] = agent_metadata,
};

static void agent_frame(struct port *p, const struct agent_frame *f)
{
	struct agent *a = container_of(p, struct agent, port);

	if (f->type < AGENT_NUM_TYPES && agent_frames[f->type])
		agent_frames[f->type](a, f);
}

/* PID 1 inherits every orphan of the guest. */
static void agent_reap(struct watch *w, uint32_t events)
{
	struct agent *a = container_of(w, struct agent, children);
	struct signalfd_siginfo info;
	int pid, status;

	(void)events;
	while (read(w->fd, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		app_reaped(&a->app, pid, status);
		exercise_reaped(&a->exercising, pid);
		check_reaped(&a->check, pid, status);
		shells_reaped(&a->shells, pid, status);
	}
}

static int agent_watch_children(struct agent *a, struct err *e)
{
	sigset_t child;
	int fd;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	fd = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "watch children");
	return loop_watch(a->loop, &a->children, fd, EPOLLIN, agent_reap, e);
}

static void agent_hello(struct agent *a)
{
	size_t mark = agent_begin(&a->port.out, AGENT_HELLO);

	agent_put_u64(&a->port.out, FIELD_PROTOCOL, AGENT_PROTOCOL);
	agent_end(&a->port.out, mark);
	port_send(&a->port);
}

int agent_run(const struct hostlink *host, struct err *e)
{
	static struct agent agent;
	const struct rlimit files = { AGENT_FILES, AGENT_FILES };
	int rc;

	if (setrlimit(RLIMIT_NOFILE, &files))
		return err_sys(e, "allow open files");
	agent.loop = loop_new(e);
	agent.diag_fd = diag_open(e);
	if (!agent.loop || agent.diag_fd < 0 || agent_watch_children(&agent, e) ||
	    resume_open(&agent.resume, agent.diag_fd, e) ||
	    streams_open(&agent.streams, agent.loop, host, agent.diag_fd, e) ||
	    port_open(&agent.port, agent.loop, host->port, agent_frame, e) ||
	    lease_open(&agent.lease, &agent.port, e) ||
	    metadata_open(&agent.metadata, agent.loop, &agent.lease, e))
		return -1;
	shells_init(&agent.shells, agent.loop, &agent.app);
	agent.streams.shells = &agent.shells;
	exercise_init(&agent.exercising, agent.loop);
	hooks_init(&agent.hooks, &agent.port);
	check_init(&agent.check, &agent.port);
	agent_hello(&agent);
	rc = loop_run(agent.loop, e);
	loop_free(agent.loop);
	return rc;
}
