#include "vmm/dev/genid.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#define GENID_SIZE 16

int genid_open(struct genid *g, struct err *e)
{
	g->irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return g->irq_fd < 0 ? err_sys(e, "make an eventfd") : 0;
}

void genid_close(struct genid *g)
{
	fd_close(&g->irq_fd);
}

int genid_renew(struct genid *g, const struct mem *m, bool tell, struct err *e)
{
	void *id = mem_slice(m, GENID_GPA, GENID_SIZE);
	const uint64_t one = 1;

	if (!id)
		return err_set(e, ERR_INVALID, "the guest has too little memory");
	/* No more than 256 bytes come whole once the host's pool is ready. */
	if (getrandom(id, GENID_SIZE, 0) != GENID_SIZE)
		return err_sys(e, "get random bytes");
	if (tell && write(g->irq_fd, &one, sizeof(one)) != sizeof(one))
		return err_sys(e, "tell the guest of its new generation");
	return 0;
}
