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

void shares_clear(struct shares *s, unsigned worker)
{
	for (size_t i = 0; i < SHARES_MAX; i++)
		if (atomic_load(&s->rows[i].running[worker]))
			atomic_store(&s->rows[i].running[worker], 0);
}

/* Two that come at once may both be refused, but never both be let in where there is room for one.
 */
bool share_enter(struct share *s, unsigned worker, unsigned most)
{
	uint64_t all = 0;

	atomic_fetch_add(&s->running[worker], 1);
	for (size_t i = 0; most && i < SUPER_WORKER_SLOTS; i++)
		all += atomic_load(&s->running[i]);
	if (all <= most)
		return true;
	share_leave(s, worker);
	return false;
}

void share_leave(struct share *s, unsigned worker)
{
	atomic_fetch_sub(&s->running[worker], 1);
}

bool share_pass(struct share *s, unsigned per_second, int64_t now_us)
{
	int64_t due = atomic_load(&s->due_us), next;

	if (!per_second)
		return true;
	do {
		next = (due > now_us ? due : now_us) + 1000000 / (int64_t)per_second;
		if (next > now_us + 1000000)
			return false;
	} while (!atomic_compare_exchange_weak(&s->due_us, &due, next));
	return true;
}
