/* queue.h - a split virtqueue (virtio 1.2, 2.7) in the guest's memory, and what a device reads from
 * it.
 *
 * The guest can write anything into the rings at any time.  Size and addresses are latched at
 * DRIVER_OK and cannot change until a reset (virtio/device.h).  Every index and descriptor is read
 * once into a local, checked, then used.  A chain has at most VQ_SEG_MAX segments and VQ_BYTES_MAX
 * bytes (or the device's own limit).  An indirect table is accepted only if the feature was agreed.
 * Everything invalid is a guest fault: vq_pop returns false and the device needs a reset.
 *
 * Between vq_pop and vq_push the device holds the chain; several may be held at once.  Only the two
 * running indices are saved, so chains that are held must be completed before a snapshot. */
#ifndef VMM_VIRTIO_QUEUE_H
#define VMM_VIRTIO_QUEUE_H

#include "vmm/virtio/vq.h"

/* At DRIVER_OK, and after a restore: turn the addresses into pointers.  False if they are invalid.
 */
bool vq_start(struct vq *vq);

bool vq_pop(struct vq *vq, struct vq_chain *c); /* false: empty, or a chain that faulted */
/* Give the last popped chain back unread, so that it is popped again. */
void vq_unpop(struct vq *vq);
void vq_push(struct vq *vq, const struct vq_chain *c, size_t written);
void vq_push_head(struct vq *vq, uint16_t head, size_t written); /* for requests kept without c */
void vq_notify(struct vq *vq); /* after pushes: an interrupt, if the driver wants one */
/* Is there nothing to pop?  With event_idx this also asks for a kick at the next chain; vq_pop does
 * so itself when it finds nothing. */
bool vq_is_empty(struct vq *vq);
bool vq_is_waiting(const struct vq *vq); /* whether there is something; asks for nothing */

bool span_take(struct span *s, void *to, size_t size); /* false: shorter; nothing is taken */
bool span_put(struct span *s, const void *from, size_t size);
bool span_skip(struct span *s, size_t size);
void span_trim(struct span *s, size_t size); /* to at most that many bytes, the front stays */
/* Move the first @size bytes to @front, which has room for as many segments.  false: shorter. */
bool span_split(struct span *s, struct span *front, size_t size);
uint8_t *span_last_byte(struct span *s); /* taken off the end; NULL if there is none */

#endif
