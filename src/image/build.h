/* build.h - the making of one image version: a row of stages, each of which starts when the last
 * one is done.
 *
 * A stage ends by calling build_next or build_fail, at once or later. After a failure or after the
 * last stage everything that the build has made and that is not part of a finished version is
 * cleared, control is told, and the struct is freed. */
#ifndef IMAGE_BUILD_H
#define IMAGE_BUILD_H

#include "image/boot_judge.h"
#include "image/codes.h"
#include "image/health.h"
#include "image/hook.h"
#include "image/job.h"
#include "image/ready.h"
#include "image/spec.h"
#include "image/vm.h"
#include "net/port_probe.h"
#include "wire/build_lines.h"

#define BUILD_STAGES   16
#define BUILD_APP_FILE "app.json" /* of a version: docs/data-layout.md */

/* Each part names the file that keeps it; builds.c makes the whole. */
struct build {
	struct list in;
	struct image_role *role;

	/* builds.c: what is asked for, and what control is told at the end. */
	struct build_start what;
	struct spec spec;
	struct spec_shape shape;
	const struct engine *engine; /* what it boots on */
	struct build_done done;      /* .engine says the same */

	/* build.c: where it stands. */
	bool failed, clearing;
	int64_t began_ms;
	struct {
		int at; /* index; -1: it waits for its turn */
		bool open;
		int64_t began_ms, took_ms[BUILD_STAGES];
	} stage;
	uv_timer_t *deadline, *tick; /* free themselves */
	struct {
		int fd;
		uint64_t bytes;
	} log;

	/* builds.c: build/<id>, images/<id>/.<version>.new, images/<id>. */
	struct {
		int dir_fd, draft_fd, image_fd;
		int root_fd; /* build_disk.c: the disk to read, also while it is made; -1: none */
		char dir_name[UUID_SIZE + 4], draft_name[32];
	} files;

	/* build_progress.c: what control is told of the stage. */
	struct {
		struct build_lines lines; /* of the job's output */
		struct buf unwritten;     /* what they give for the log */
		struct build_step sent;
		int64_t since_ms; /* from when on `burst` counts the steps that were sent */
		unsigned burst;
		uv_timer_t *late; /* after too many of them; NULL: none waits */
	} progress;

	/* What runs for the build outside of the role: a job or a task, and beside them its
	 * microVM. */
	struct job job;
	void (*stepped)(
		struct build *b,
		const json_t *result); /* called when the step succeeded; NULL: build_next */
	struct fork_task *task;
	struct vm vm;

	/* build_make.c, build_disk.c */
	struct {
		int fd;
		struct request request;
	} artifact;
	struct {
		unsigned turns; /* of the two networks */
	} base;
	struct app app;
	struct health_check check;

	/* build_boot.c: waiting for the guest. */
	struct {
		bool under_way;    /* from its begin to the guest's first word */
		uv_timer_t *timer; /* of what looks after it; NULL: nothing */
		struct boot_judge judge;
		enum boot_verdict verdict; /* until its machine has ended */
		unsigned hangs, timers;    /* boots that hung; that measured the timer wrong */
		int explanation_fd;        /* of the hang; -1: none is open */
		off_t explained_at;        /* where it begins in the file */
	} boot;

	/* build_ready.c: waiting for the application. Times are since its start. */
	struct {
		struct ready judge;
		int64_t began_ms;  /* on the clock */
		int64_t word_ms;   /* when the log gets the next word */
		struct buf places; /* listeners that no stream reaches, as text */
		struct health health;
		uint64_t check_id;                      /* of the look that is under way; 0: none */
		int64_t check_began_ms, check_ended_ms; /* of the last one */
		bool unhealthy;
		unsigned n_closed; /* times that an awaited port closed again */
	} ready;

	/* build_run.c: waiting for the agent. */
	struct {
		uint64_t id; /* of an agent frame; 0: none */
		void (*done)(struct build *b);
	} ack;
	int save_fds[SAVE_NUM_FDS];

	/* build_hook.c */
	struct {
		const struct hook_kind *kind; /* NULL: none is under way */
		int64_t began_ms, timeout_ms;
		int64_t word_ms; /* when the log gets the next word, after its begin */
		uint64_t id;     /* of the agent frame that waits for its result; 0: none */
	} hook;

	/* build_port_probe.c */
	struct {
		unsigned times; /* each port */
		size_t begun;
		struct port_probe *under_way;
		void (*then)(struct build *b);
	} port_probe;

	/* build_settle.c */
	struct {
		unsigned checks;
		int64_t checked_ms;
		uint64_t cpu_ns;
	} settle;

	/* build_validate.c, build_touched.c: the throw-away machine. */
	struct {
		int memory_fd, from_fd, touched_fd;
	} clone;
};

/* A row of the table in build.c. */
struct build_stage {
	const char *name, *shown; /* sent in BUILD_STEP; shown in the log's table */
	void (*start)(struct build *b);
	bool (*wanted)(const struct build *b); /* NULL: always */
};

void build_next(struct build *b);
void build_stopped(struct build *b); /* a job or a task ended while the build is being cleared */
void build_fail(struct build *b, const char *code, const char *fmt, ...) printf_like(3, 4);
void build_log(struct build *b, const void *data, size_t size);
void build_logf(struct build *b, const char *fmt, ...) printf_like(2, 3);
/* Calls @fire every @every_ms until the stage ends. */
void build_tick(struct build *b, uint64_t every_ms, uv_timer_cb fire);
uv_timer_t *build_timer(struct build *b, uint64_t first_ms, uint64_t every_ms, uv_timer_cb fire);
void build_timer_end(uv_timer_t **t);
/* Returns "localhost/doze/image/<uuid>", the tag that keeps the image's layers in the store. */
char *build_tag(const struct build *b);
void build_step_options(struct image_role *role, struct job *j);

/* build_progress.c */
void build_progress_begin(struct build *b, const struct build_stage *stage, size_t n_stages);
void build_progress_end(struct build *b);
void build_progress_resend(const struct build *b); /* to a control that was restarted */
/* Shows what the stage waits for, as "waits for port 8080", until the next call or the stage's end.
 * NULL: for nothing any more. */
void build_waits_for(struct build *b, const char *text);
void build_output(struct build *b, const uint8_t *data, size_t size); /* of the job */
/* Writes one sentence that names the Dockerfile's step, its command and the cause, of the sentence
 * @reason that the job left. */
void build_progress_reason(struct build *b, const char *reason, char *to, size_t room);

/* build_make.c */
void build_fetch(struct build *b);
void build_unpack(struct build *b);
void build_base(struct build *b);
void build_container(struct build *b);
/* Begins the build's job. The caller adds arguments, may set b->stepped, and calls job_start. */
void build_step(struct build *b, const char *name, enum priv_net net);
/* Calls @each for each variable of [build] env ("A=1, B=2"). These are for RUN alone, so build_disk
 * removes them from the image's environment. */
void build_env_each(struct build *b, void (*each)(struct build *b, const char *pair));
/* build_disk.c */
void build_disk(struct build *b);
void build_take_disk(struct build *b); /* a rebuild does this instead */
void build_empty_overlay(struct build *b);
/* build_ready.c */
void build_ready(struct build *b);
/* Takes frames of the guest. */
void build_listening(struct build *b, const struct agent_frame *f);
void build_sampled(struct build *b, const struct agent_frame *f);
void build_checked(struct build *b, const struct agent_frame *f);
/* build_boot.c */
/* The guest's kernel boots while the container and the disk are made, since it reads nothing of the
 * disk before it is told to start the application. */
void build_boot_begin(struct build *b);
void build_boot(struct build *b);                               /* waits for it */
void build_hello(struct build *b, const struct agent_frame *f); /* of the guest */
/* build_run.c */
void build_start_application(struct build *b);
/* Puts what START and CHECK say of a process; false if it is too long. */
bool build_put_process(struct build *b, struct buf *frame, char *const *argv, size_t n);
void build_snapshot(struct build *b);
void build_frame(struct build *b, const struct agent_frame *f);
void build_vm_start(struct build *b,
		    const struct vm_ops *ops); /* of the build's shape and engine */
void build_vm_down(struct vm *vm, const struct err *e);
void build_vm_frame(struct vm *vm, const struct agent_frame *f);
bool build_is_at(const struct build *b, void (*stage)(struct build *b));
bool build_boots(const struct build *b); /* or has booted */
/* Copies the empty overlay to the version's disk, or to a scratch disk. Returns a descriptor or -1.
 */
int build_overlay(struct build *b, bool scratch, struct err *e) must_check;
/* Returns the id for a frame that the guest will ACK, whereupon @acknowledged is called. */
uint64_t build_expect_ack(struct build *b, void (*acknowledged)(struct build *b));
/* build_settle.c */
void build_settle(struct build *b);
/* build_port_probe.c */
/* Connects @times times to each port on which the application listens, one connection after the
 * other, and sends nothing. */
void build_port_probe(struct build *b, unsigned times, void (*then)(struct build *b));
void build_port_probe_cancel(struct build *b);
/* build_touched.c */
void build_touched(struct build *b);
/* build_validate.c */
void build_validate(struct build *b);
/* build_publish.c */
void build_commit(struct build *b);
/* build_hook.c */
/* Calls one hook, again for as long as it asks for that and has time left, and ends with build_next
 * or build_fail. */
void build_hook(struct build *b, const struct hook_kind *kind, const struct spec_hook *hook);
void build_hook_result(struct build *b, const struct agent_frame *f);

#endif
