#include "ipc/share.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int shares_make(struct err *e)
{
	autoclose int fd = memfd_create("shares", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, sizeof(struct shares)) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return err_sys(e, "make the memory that workers share");
	return fd_steal(&fd);
}

struct shares *shares_map(int fd, struct err *e)
{
	void *at = mmap(NULL, sizeof(struct shares), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at != MAP_FAILED)
		return at;
	err_sys(e, "map the memory that workers share");
	return NULL;
}

static void share_clear(atomic_uint running[SUPER_WORKER_SLOTS], unsigned worker)
{
	if (atomic_load(&running[worker]))
		atomic_store(&running[worker], 0);
}

void shares_clear(struct shares *s, unsigned worker)
{
	for (size_t i = 0; i < SHARES_MAX; i++)
		share_clear(s->rows[i].running, worker);
	for (size_t i = 0; i < SHARE_TOKENS; i++)
		share_clear(s->tokens[i].running, worker);
}

static uint64_t share_all(atomic_uint running[SUPER_WORKER_SLOTS])
{
	uint64_t all = 0;

	for (size_t i = 0; i < SUPER_WORKER_SLOTS; i++)
		all += atomic_load(&running[i]);
	return all;
}

/* Two that come at once may both be refused, but never both be let in where there is room for one.
 */
bool share_enter(struct share *s, unsigned worker, unsigned most)
{
	atomic_fetch_add(&s->running[worker], 1);
	if (!most || share_all(s->running) <= most)
		return true;
	share_leave(s, worker);
	return false;
}

void share_leave(struct share *s, unsigned worker)
{
	atomic_fetch_sub(&s->running[worker], 1);
}

bool share_pass(share_due *due_us, unsigned per_second, int64_t now_us)
{
	int64_t due = atomic_load(due_us), next;

	if (!per_second)
		return true;
	do {
		next = (due > now_us ? due : now_us) + 1000000 / (int64_t)per_second;
		if (next > now_us + 1000000)
			return false;
	} while (!atomic_compare_exchange_weak(due_us, &due, next));
	return true;
}

int64_t share_charge(share_due *due_ns, size_t bytes, uint64_t per_second, int64_t now_ns)
{
	const int64_t second = 1000000000;
	int64_t due = atomic_load(due_ns), next;
	int64_t cost = (int64_t)((double)bytes * (double)second / (double)per_second);

	do
		next = (due > now_ns ? due : now_ns) + cost;
	while (!atomic_compare_exchange_weak(due_ns, &due, next));
	return next > now_ns + second ? next - now_ns - second : 0;
}

#define TOKEN_LOOKS 16 /* places where a token may stand */

/* The place of this token, counted as used.  Another one may take a place that is free at the same
 * moment, so who counted looks again whose it is. */
static struct share_token *share_token_at(struct share_token *t, uint64_t key, unsigned worker,
					  bool claims)
{
	uint64_t held = atomic_load(&t->key);

	if (held != key && (!claims || (held && share_all(t->running))))
		return NULL;
	/* Another worker may have given it to the same token just now. */
	if (held != key && !atomic_compare_exchange_strong(&t->key, &held, key) && held != key)
		return NULL;
	atomic_fetch_add(&t->running[worker], 1);
	if (atomic_load(&t->key) == key)
		return t;
	share_token_leave(t, worker);
	return NULL;
}

struct share_token *share_token_enter(struct shares *s, uint64_t key, unsigned worker,
				      unsigned most, bool *full)
{
	struct share_token *t = NULL;

	key = key ? key : 1;
	for (unsigned i = 0; i < 2 * TOKEN_LOOKS && !t; i++)
		t = share_token_at(&s->tokens[(key + i % TOKEN_LOOKS) % SHARE_TOKENS], key, worker,
				   i >= TOKEN_LOOKS);
	*full = !t;
	if (!t || share_all(t->running) <= most)
		return t;
	share_token_leave(t, worker);
	return NULL;
}

void share_token_leave(struct share_token *t, unsigned worker)
{
	atomic_fetch_sub(&t->running[worker], 1);
}
