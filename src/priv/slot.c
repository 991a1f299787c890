#include "priv/slot.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ipc/agent.h"
#include "priv/netlink.h"
#include "priv/slotmake.h"

#define SLOT_AT_ONCE   2
#define SLOT_REFILL_MS 100  /* after a slot was taken, so that its taker does not wait for it */
#define SLOT_AGAIN_MS  3000 /* after a failure */
#define SLOT_SWEEP_MS  1000 /* the kernel needs about 100 ms, however many there are */
#define SLOT_KEEP_MORE 32   /* that many more spare slots than wanted are kept */

struct slot_job {
	struct child child;
	struct slots *slots;
	struct slot_plan plan;
	char *path;
};

static void slots_fill(struct slots *s);

char *slot_netns_path(const struct slots *s, uint32_t slot)
{
	return xasprintf("%s/%u", s->netns_dir, slot);
}

static void slot_remove(struct slots *s, uint32_t slot)
{
	autofree char *path = slot_netns_path(s, slot);

	slot_unmake(path);
	s->state[slot] = SLOT_ABSENT;
}

/* A /30 that an interface already uses is left alone. It belongs to another instance, to the site,
 * or to a slot that the kernel is still removing. */
static bool slot_is_foreign(const struct slots *s, const struct ifaddrs *all, uint32_t slot)
{
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct sockaddr_in in;

		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET)
			continue;
		memcpy(&in, i->ifa_addr, sizeof(in));
		if ((ntohl(in.sin_addr.s_addr) & ~3U) == (names_host_ip(s->names, slot) & ~3U))
			return true;
	}
	return false;
}

static int slot_choose(const struct slots *s)
{
	struct ifaddrs *all = NULL;
	int found = -1;

	if (getifaddrs(&all))
		return -1;
	for (uint32_t i = 0; i < s->names->n_slots && found < 0; i++)
		if (s->state[i] == SLOT_ABSENT && !slot_is_foreign(s, all, i))
			found = (int)i;
	freeifaddrs(all);
	return found;
}

static void slot_hand_out(struct slots *s, uint32_t slot)
{
	struct slot_wait *w = list_first(&s->waiting, struct slot_wait, in);

	if (!w)
		return;
	list_del(&w->in);
	s->n_spare--;
	s->state[slot] = SLOT_TAKEN;
	w->got(w, (int)slot, NULL);
}

static void slots_refuse(struct slots *s, const struct err *e)
{
	struct slot_wait *w;

	while ((w = list_first(&s->waiting, struct slot_wait, in))) {
		list_del(&w->in);
		w->got(w, -1, e);
	}
}

static void slot_now_spare(struct slots *s, uint32_t slot)
{
	s->state[slot] = SLOT_SPARE;
	s->n_spare++;
	slot_hand_out(s, slot);
}

static void slots_refill(struct timer *t)
{
	struct slots *s = container_of(t, struct slots, refill);

	s->failing = false;
	slots_fill(s);
}

static void slot_made(struct child *c, int status)
{
	struct slot_job *job = container_of(c, struct slot_job, child);
	struct slots *s = job->slots;
	uint32_t slot = job->plan.slot;
	struct err e;

	free(job->path);
	free(job);
	s->n_making--;
	if (!status) {
		slot_now_spare(s, slot);
		slots_fill(s);
		return;
	}
	slot_remove(s, slot);
	s->failing = true;
	loop_timer(s->loop, &s->refill, SLOT_AGAIN_MS, slots_refill);
	err_set(&e, ERR_INTERNAL, "a network slot cannot be made; the daemon's log says why");
	slots_refuse(s, &e);
}

static int slot_begin(struct slots *s, struct err *e)
{
	int slot = slot_choose(s);
	struct slot_job *job;

	if (slot < 0)
		return err_set(e, ERR_CAPACITY, "all network slots are in use");
	job = xcalloc(1, sizeof(*job));
	job->slots = s;
	job->path = slot_netns_path(s, (uint32_t)slot);
	job->plan = (struct slot_plan){ s->names, job->path, (uint32_t)slot };
	if (child_start(s->loop, &job->child, slot_make, &job->plan, slot_made, e)) {
		free(job->path);
		free(job);
		return -1;
	}
	s->state[slot] = SLOT_MAKING;
	s->n_making++;
	return 0;
}

static unsigned slots_wanted(const struct slots *s)
{
	unsigned n = s->spare_wanted;

	for (const struct list *i = s->waiting.next; i != &s->waiting; i = i->next)
		n++;
	return n;
}

static void slots_fill(struct slots *s)
{
	struct err e;

	while (!s->failing && s->n_making < SLOT_AT_ONCE &&
	       s->n_spare + s->n_making < slots_wanted(s)) {
		if (!slot_begin(s, &e))
			continue;
		if (!s->n_making)
			slots_refuse(s, &e);
		return;
	}
}

void slot_take(struct slots *s, struct slot_wait *w)
{
	list_add(&s->waiting, &w->in);
	for (uint32_t i = 0; s->n_spare && i < s->names->n_slots; i++) {
		if (s->state[i] != SLOT_SPARE)
			continue;
		slot_hand_out(s, i);
		if (!s->failing)
			loop_timer(s->loop, &s->refill, SLOT_REFILL_MS, slots_refill);
		return;
	}
	s->failing = false;
	slots_fill(s);
}

void slot_forget(struct slot_wait *w)
{
	list_del(&w->in);
}

int slot_close(struct slots *s, uint32_t slot, struct err *e)
{
	char link[IFNAMSIZ];
	int rc;

	names_link(s->names, slot, link);
	rc = nl_link_set(s->host, link, false);
	errno = -rc;
	if (rc)
		return err_sys(e, "close slot %u", slot);
	return 0;
}

/* A request to the kernel in a slot's network, whose result is a negative errno. */
static int slot_inside(struct slots *s, uint32_t slot, int (*ask)(bool block), bool block)
{
	autofree char *path = slot_netns_path(s, slot);
	autoclose int netns = open(path, O_RDONLY | O_CLOEXEC);
	int rc;

	if (netns < 0 || setns(netns, CLONE_NEWNET))
		return -errno;
	rc = ask(block);
	if (setns(s->own_netns, CLONE_NEWNET))
		abort(); /* everything from here on would happen in a guest's network */
	return rc;
}

static int slot_block_api(bool block)
{
	struct mnl_socket *nl = nl_open();
	struct in_addr in = { 0 };
	int rc;

	if (!nl)
		return -errno;
	inet_pton(AF_INET, SLOT_API_IP, &in);
	rc = nl_block(nl, ntohl(in.s_addr), block);
	nl_close(nl);
	return !block && rc == -ESRCH ? 0 : rc; /* it is open already */
}

int slot_open_api(struct slots *s, uint32_t slot, struct err *e)
{
	int rc = slot_inside(s, slot, slot_block_api, false);

	errno = -rc;
	return rc ? err_sys(e, "open the API for slot %u", slot) : 0;
}

/* The connections of the last tenant are forgotten, so that the next one does not see their
 * answers. */
static int slot_refresh(bool block)
{
	int rc = nl_forget_connections();

	return rc ? rc : slot_block_api(block);
}

static int slot_clean(struct slots *s, uint32_t slot)
{
	char link[IFNAMSIZ];
	int rc = slot_inside(s, slot, slot_refresh, true);

	names_link(s->names, slot, link);
	return rc ? rc : nl_link_set(s->host, link, true); /* slot_close may have taken it down */
}

void slot_give(struct slots *s, uint32_t slot)
{
	int rc;

	assert(slot < NAMES_SLOTS && s->state[slot] == SLOT_TAKEN);
	if (s->n_spare >= s->spare_wanted + SLOT_KEEP_MORE && list_empty(&s->waiting)) {
		slot_remove(s, slot);
		return;
	}
	rc = slot_clean(s, slot);
	if (!rc) {
		slot_now_spare(s, slot);
		return;
	}
	log_warn("a network slot cannot be used again slot=%u: %s", slot, strerror(-rc));
	slot_remove(s, slot);
	slots_fill(s);
}

int slots_init(struct slots *s, struct loop *l, const struct names *n, const char *run_dir,
	       unsigned spare, struct err *e)
{
	*s = (struct slots){ .loop = l, .names = n, .spare_wanted = spare };
	list_init(&s->waiting);
	s->netns_dir = xasprintf("%s/netns", run_dir);
	if (mkdir(s->netns_dir, 0700) && errno != EEXIST)
		return err_sys(e, "make '%s'", s->netns_dir);
	s->own_netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	s->host = nl_open();
	if (s->own_netns < 0 || !s->host)
		return err_sys(e, "open the host's network");
	return 0;
}

void slots_adopt(struct slots *s, uint32_t slot)
{
	assert(slot < NAMES_SLOTS);
	s->state[slot] = SLOT_TAKEN;
}

/* Counts the pairs of slots that are not taken. With @remove it also deletes them one by one, which
 * is slow. */
static unsigned slots_links(struct slots *s, bool remove)
{
	struct if_nameindex *all = if_nameindex();
	unsigned n = 0;

	for (const struct if_nameindex *i = all; i && i->if_index; i++) {
		int slot = names_link_slot(s->names, i->if_name);

		if (slot < 0 || s->state[slot] == SLOT_TAKEN)
			continue;
		n++;
		if (remove)
			(void)!nl_link_remove(s->host, i->if_name);
	}
	if (all)
		if_freenameindex(all);
	return n;
}

void slots_sweep(struct slots *s)
{
	int64_t until = clock_mono_ms() + SLOT_SWEEP_MS;
	DIR *dir = opendir(s->netns_dir);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		int slot = names_number(entry->d_name, NAMES_SLOTS);

		if (slot >= 0 && s->state[slot] != SLOT_TAKEN)
			slot_remove(s, (uint32_t)slot);
	}
	if (dir)
		closedir(dir);
	while (slots_links(s, false) && clock_mono_ms() < until)
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	slots_links(s, true);
	s->n_spare = 0;
}

void slots_start(struct slots *s)
{
	slots_fill(s);
}

void slots_stop(struct slots *s)
{
	loop_untimer(s->loop, &s->refill);
	s->spare_wanted = 0;
	s->failing = true;
}
