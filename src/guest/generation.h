/* generation.h - tells the application that it is now another microVM than before, so that a
 * library can throw away what it drew in advance (docs/clones.md).
 *
 * Two files say so, which may be mapped: GENERATION_FILE holds 32 hexadecimal digits and a
 * line feed, which are those of no other microVM and of no earlier resume; GENERATION_COUNTER holds
 * an unsigned 32-bit number in the processor's order, which is never 0 and grows with every resume.
 * The latter's path and form are those of the interface SysGenID, which AWS-LC looks at before each
 * draw.  They change after the kernel's generator was reseeded and before any request comes. */
#ifndef GUEST_GENERATION_H
#define GUEST_GENERATION_H

#include <stdint.h>

#include "base/err.h"

#define GENERATION_BYTES   16
#define GENERATION_FILE    "/run/doze/generation" /* as the application sees them */
#define GENERATION_COUNTER "/dev/sysgenid"
#define GENERATION_NUM     2

struct generation {
	char *text;                 /* the mapped file; NULL until opened */
	volatile uint32_t *counter; /* the other one */
};

/* The files as the agent has them, and where rootfs_enter() puts them. */
extern const char *const generation_files[GENERATION_NUM][2];

/* Make and map both.  They exist from the start on, so that their pages are part of the snapshot.
 */
int generation_open(struct generation *g, struct err *e) must_check;

/* Gives the two files their contents and keeps them mapped. */
int generation_map(struct generation *g, int text_fd, int counter_fd, struct err *e) must_check;

void generation_next(struct generation *g, const uint8_t random[GENERATION_BYTES]);

/* Touches the pages as generation_next() does and changes nothing. */
void generation_rehearse(struct generation *g);

#endif
