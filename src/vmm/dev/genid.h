/* genid.h - the VM generation ID: 16 random bytes in the guest's memory, new in each clone, and an
 * interrupt (generic event device) by which its kernel mixes them into its random numbers. */
#ifndef VMM_DEV_GENID_H
#define VMM_DEV_GENID_H

#include "vmm/mem.h"

#define GENID_GPA 0xdf000
#define GENID_IRQ 10

struct genid {
	int irq_fd; /* owned eventfd, for vm_irqfd */
};

int genid_open(struct genid *g, struct err *e) must_check;
void genid_close(struct genid *g);

/* Before the first vCPU of a boot or a restore runs.  @tell: the guest is one that ran before. */
int genid_renew(struct genid *g, const struct mem *m, bool tell, struct err *e) must_check;

#endif
