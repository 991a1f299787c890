/* genid.h - the VM generation ID: 16 random bytes in the guest's memory that are new in each clone.
 * An interrupt (generic event device) makes the guest's kernel mix them into its random pool. */
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

/* Call it before the first vCPU of a boot or a restore runs.  @tell raises the interrupt, for a
 * guest that ran before. */
int genid_renew(struct genid *g, const struct mem *m, bool tell, struct err *e) must_check;

#endif
