#include "dozed/seat.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "dozed/role_exec.h"
#include "dozed/roles.h"

void seat_send(struct super_seat *seat, uint32_t type, const void *body, size_t size, int fd)
{
	if (seat->pid && chan_send(&seat->chan, type, 0, body, size, &fd, fd >= 0 ? 1 : 0))
		log_warn("a role does not listen to its supervisor role=%s", role_name[seat->role]);
}

void seat_send_secret(struct super_seat *seat, enum secret which)
{
	struct super_which name = { which, 0 };
	autoclose int fd = -1;
	struct err e;

	if (!seat->pid || !(role_defs[seat->role].secrets & 1U << which))
		return;
	fd = secrets_fd(&seat->super->setup->secrets, which, &e);
	if (fd < 0)
		log_err("%s", e.text);
	else
		seat_send(seat, SUPER_SECRET, &name, sizeof(name), fd);
}

static void seat_hand_over(struct super *s, struct super_seat *seat)
{
	const struct role_def *def = &role_defs[seat->role];
	const struct listeners *l = &s->setup->listeners;

	for (uint32_t i = 0; i < SECRET_NUM; i++)
		seat_send_secret(seat, (enum secret)i);
	for (size_t i = 0; i < l->n; i++) {
		struct super_listener name = { l->each[i].which, l->each[i].port };

		if ((def->listeners & 1U << name.which) && l->each[i].worker == seat->share)
			seat_send(seat, SUPER_LISTENER, &name, sizeof(name), l->each[i].fd);
	}
}

static void seat_connect(struct super_seat *a, struct super_seat *b)
{
	struct super_which to_a = { b->role, b->worker }, to_b = { a->role, a->worker };
	struct err e;
	int pair[2];

	if (ipc_pair(pair, &e)) {
		log_err("%s", e.text);
		return;
	}
	seat_send(a, SUPER_PEER, &to_a, sizeof(to_a), pair[0]);
	seat_send(b, SUPER_PEER, &to_b, sizeof(to_b), pair[1]);
	close(pair[0]);
	close(pair[1]);
}

static bool seat_talk(enum role a, enum role b)
{
	for (size_t i = 0; i < role_n_pairs; i++)
		if ((role_pairs[i][0] == a && role_pairs[i][1] == b) ||
		    (role_pairs[i][0] == b && role_pairs[i][1] == a))
			return true;
	return false;
}

static void seat_connect_all(struct super *s, struct super_seat *seat)
{
	for (size_t i = 0; i < SUPER_SEATS; i++)
		if (s->seats[i].pid && seat_talk(seat->role, s->seats[i].role))
			seat_connect(seat, &s->seats[i]);
}

/* Control writes the port into every endpoint unless it is 443. */
static uint32_t seat_endpoint_port(const struct super *s)
{
	for (size_t i = 0; i < s->setup->listeners.n; i++)
		if (s->setup->listeners.each[i].which == LISTENER_ENDPOINT)
			return s->setup->listeners.each[i].port;
	return 0;
}

int seat_start(struct super *s, struct super_seat *seat, struct err *e)
{
	struct super_which begin = { seat_endpoint_port(s), s->workers };
	pid_t parent = getpid();
	int pair[2];

	if (ipc_pair(pair, e))
		return -1;
	seat->pid = fork();
	if (seat->pid < 0) {
		seat->pid = 0;
		close(pair[0]);
		close(pair[1]);
		return err_sys(e, "start the role %s", role_name[seat->role]);
	}
	if (!seat->pid)
		role_exec(s->setup->conf, s->setup->config_file, seat->role, pair[1], parent);
	close(pair[1]);
	seat->ready = false;
	seat->started_ms = clock_mono_ms();
	chan_init(&seat->chan, pair[0], super_rows, SUPER_NUM_TYPES);
	if (loop_watch(s->loop, &seat->watch, pair[0], EPOLLIN, s->on_channel, e))
		return -1;
	seat_hand_over(s, seat);
	s->on_start(seat);
	seat_connect_all(s, seat);
	seat_send(seat, SUPER_START, &begin, sizeof(begin), -1);
	return 0;
}
