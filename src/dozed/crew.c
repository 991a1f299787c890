#include "dozed/crew.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "dozed/crew_log.h"
#include "dozed/seat.h"
#include "ipc/share.h"

#define CREW_TICKETS_MS (12 * 3600 * 1000) /* a ticket is good for one to two times this */

/* What a worker is made from. */
struct crew_files {
	struct conf conf; /* as the file has it now */
	dev_t device;     /* of the program */
	ino_t inode;
	off_t size;
	struct timespec changed;
};

unsigned crew_workers(const struct conf *conf)
{
	cpu_set_t cpus;
	int n = (int)conf->endpoint_workers;

	if (!n)
		n = sched_getaffinity(0, sizeof(cpus), &cpus) ? 1 : CPU_COUNT(&cpus);
	return n < SUPER_WORKERS ? (unsigned)n : SUPER_WORKERS;
}

static struct super_seat *crew_seat(struct super *s, unsigned worker)
{
	return &s->seats[ROLE_PROXY + worker];
}

static void crew_take_seat(struct super *s, struct super_seat *seat, unsigned share,
			   struct super_seat *replaces)
{
	*seat = (struct super_seat){ .super = s,
				     .role = ROLE_PROXY,
				     .worker = (unsigned)(seat - crew_seat(s, 0)),
				     .share = share,
				     .replaces = replaces,
				     .used = true };
}

static void crew_look_at_program(const struct super *s, struct crew_files *files)
{
	autofree char *path =
		xasprintf("%s/dozed-%s", s->setup->conf->libexec_dir, role_name[ROLE_PROXY]);
	struct stat st = { 0 };

	if (stat(path, &st))
		return; /* the start of a worker says what is wrong */
	files->device = st.st_dev;
	files->inode = st.st_ino;
	files->size = st.st_size;
	files->changed = st.st_mtim;
}

static void crew_send_all(struct super *s, enum secret which)
{
	for (unsigned i = 0; i < SUPER_SEATS; i++)
		if (s->seats[i].used)
			seat_send_secret(&s->seats[i], which);
}

/* A daemon may run for longer than a certificate is valid. */
static void crew_look_at_certificates(struct super *s)
{
	static const enum secret leaves[] = { SECRET_TLS_API, SECRET_TLS_S3, SECRET_TLS_ENDPOINT };
	const struct conf *conf = s->setup->conf;
	struct err e;
	int made = secrets_renew_leaves(&s->setup->secrets, conf, clock_wall_ms(), &e);

	if (made < 0)
		log_err("doze's own certificates are not renewed error=\"%s\"", e.text);
	for (size_t i = 0; made > 0 && i < ARRAY_SIZE(leaves); i++)
		crew_send_all(s, leaves[i]);
	secrets_warn_certificates(&s->setup->secrets, &s->loaded->conf);
}

static void crew_change_tickets(struct timer *t)
{
	struct super *s = container_of(t, struct super, tickets);

	secrets_change_tickets(&s->setup->secrets);
	for (unsigned i = 0; i < SUPER_WORKER_SLOTS; i++)
		seat_send_secret(crew_seat(s, i), SECRET_TICKETS);
	crew_look_at_certificates(s);
	loop_timer(s->loop, &s->tickets, CREW_TICKETS_MS, crew_change_tickets);
}

static int crew_read(const struct super *s, struct crew_files *files, struct err *e)
{
	const char *path = s->setup->config_file;
	autoclose int fd = *path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (*path && fd < 0)
		return err_sys(e, "open '%s'", path);
	conf_defaults(&files->conf, s->setup->conf->instance);
	if (conf_read(&files->conf, fd, path, e))
		return -1;
	/* What is found out at the start stands in no file. */
	files->conf.kvm = s->setup->conf->kvm;
	memcpy(files->conf.libexec_dir, s->setup->conf->libexec_dir,
	       sizeof(files->conf.libexec_dir));
	crew_look_at_program(s, files);
	return 0;
}

void crew_begin(struct super *s)
{
	struct err e;

	s->workers = crew_workers(s->setup->conf);
	for (unsigned i = 0; i < s->workers; i++)
		crew_take_seat(s, crew_seat(s, i), i, NULL);
	s->loaded = xcalloc(1, sizeof(*s->loaded));
	if (crew_read(s, s->loaded, &e))
		log_warn("%s", e.text); /* it is another file since dozed has read it */
	loop_timer(s->loop, &s->tickets, CREW_TICKETS_MS, crew_change_tickets);
	s->shares_fd = shares_make(&e);
	s->shares = s->shares_fd < 0 ? NULL : shares_map(s->shares_fd, &e);
	if (!s->shares)
		log_err("%s", e.text);
}

void crew_hand_over(struct super_seat *seat)
{
	const struct super_which name = { seat->worker, 0 };
	struct super *s = seat->super;

	if (seat->role != ROLE_PROXY)
		return;
	if (s->shares) {
		shares_clear(s->shares, seat->worker); /* of the one before */
		seat_send(seat, SUPER_SHARES, &name, sizeof(name), s->shares_fd);
	}
	crew_log_hand_over(seat);
}

void crew_free(struct super *s)
{
	free(s->loaded);
	s->loaded = NULL;
	fd_close(&s->shares_fd);
}

static void crew_drain(struct super_seat *seat)
{
	const struct super_which none = { 0, 0 };

	seat->draining = true;
	if (seat->pid) {
		seat_send(seat, SUPER_DRAIN, &none, sizeof(none), -1);
		return;
	}
	loop_untimer(seat->super->loop, &seat->again); /* it has died meanwhile */
	seat->used = false;
}

void crew_ready(struct super_seat *seat)
{
	struct super_seat *old = seat->replaces;

	if (!old)
		return;
	seat->replaces = NULL;
	log_info("a worker takes the place of another worker=%u old=%u", seat->worker, old->worker);
	crew_drain(old);
}

bool crew_ended(struct super_seat *seat)
{
	if (seat->role == ROLE_PROXY && seat->super->shares)
		shares_clear(seat->super->shares, seat->worker);
	if (seat->replaces)
		log_err("a new worker did not start, so the old one serves on worker=%u",
			seat->replaces->worker);
	else if (!seat->draining)
		return false;
	seat->used = false;
	seat->replaces = NULL;
	return true;
}

/* The oldest of those that drain makes room.  NULL: its end has to be waited for. */
static struct super_seat *crew_free_seat(struct super *s)
{
	struct super_seat *oldest = NULL;

	for (unsigned i = 0; i < SUPER_WORKER_SLOTS; i++) {
		struct super_seat *seat = crew_seat(s, i);

		if (!seat->used)
			return seat;
		if (seat->draining && (!oldest || seat->started_ms < oldest->started_ms))
			oldest = seat;
	}
	if (oldest)
		kill(oldest->pid, SIGKILL);
	return NULL;
}

static void crew_replace(struct super *s, struct super_seat *old)
{
	struct super_seat *seat = crew_free_seat(s);
	struct err e;

	if (!seat) {
		log_warn("too many workers drain, so one is not replaced yet; reload again "
			 "worker=%u",
			 old->worker);
		return;
	}
	crew_take_seat(s, seat, old->share, old);
	if (!seat_start(s, seat, &e))
		return;
	log_err("%s", e.text);
	if (!seat->pid)
		seat->used = false;
}

static bool crew_is_replaced(const struct super *s, const struct super_seat *old)
{
	for (unsigned i = 0; i < SUPER_WORKER_SLOTS; i++)
		if (s->seats[ROLE_PROXY + i].used && s->seats[ROLE_PROXY + i].replaces == old)
			return true;
	return false;
}

static void crew_replace_all(struct super *s)
{
	struct super_seat *old[SUPER_WORKER_SLOTS];
	size_t n = 0;

	for (unsigned i = 0; i < SUPER_WORKER_SLOTS; i++) {
		struct super_seat *seat = crew_seat(s, i);

		if (seat->used && !seat->draining && !seat->replaces && !crew_is_replaced(s, seat))
			old[n++] = seat;
	}
	for (size_t i = 0; i < n; i++)
		crew_replace(s, old[i]);
	log_info("workers are replaced n=%zu", n);
}

/* Certificates are not among it: those are given to workers that run. */
static bool crew_has_changed(const struct crew_files *old, const struct crew_files *new)
{
	return memcmp(&old->conf, &new->conf, offsetof(struct conf, certificates)) != 0 ||
	       old->device != new->device || old->inode != new->inode || old->size != new->size ||
	       old->changed.tv_sec != new->changed.tv_sec ||
	       old->changed.tv_nsec != new->changed.tv_nsec;
}

/* For the command line, which waits for it. */
static void crew_say(struct super *s, const struct buf *problems)
{
	autoclose int dir = open(s->setup->conf->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autobuf struct buf text = { 0 };
	struct err e;

	buf_addf(&text, "%lld\n", (long long)clock_wall_ms());
	buf_add(&text, problems->data, problems->size);
	if (dir < 0)
		err_sys(&e, "open '%s'", s->setup->conf->run_dir);
	if (dir < 0 || io_replace(dir, SUPER_FILE_RELOADED, text.data, text.size, 0644, &e))
		log_warn("%s", e.text);
}

static void crew_apply(struct super *s, struct crew_files *files, struct buf *problems)
{
	bool changed = crew_has_changed(s->loaded, files);

	free(s->loaded);
	s->loaded = files;
	secrets_read_certificates(&s->setup->secrets, &files->conf, problems);
	crew_send_all(s, SECRET_API_CERTIFICATES);
	if (changed) {
		crew_replace_all(s);
		return;
	}
	crew_send_all(s, SECRET_CERTIFICATES);
	log_info("certificates are reloaded");
}

void crew_reload(struct super *s)
{
	struct crew_files *files = xcalloc(1, sizeof(*files));
	autobuf struct buf problems = { 0 };
	struct err e;

	if (!s->announced)
		err_set(&e, ERR_CONFLICT, "doze has not started yet");
	if (!s->announced || crew_read(s, files, &e)) {
		log_err("nothing is reloaded, and doze goes on as before error=\"%s\"", e.text);
		buf_addf(&problems, "nothing is reloaded: %s\n", e.text);
		free(files);
	} else {
		crew_apply(s, files, &problems);
	}
	crew_say(s, &problems);
}
