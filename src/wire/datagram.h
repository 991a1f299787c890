/* datagram.h - datagrams as frames of a stream: two bytes of length, the more significant first,
 * then the datagram.  The stream between the proxy and a guest's agent carries them, and so does a
 * connection of doze-udp (docs/api-doze.md).  Pure. */
#ifndef WIRE_DATAGRAM_H
#define WIRE_DATAGRAM_H

#include "base/buf.h"

#define DATAGRAM_HEAD 2
#define DATAGRAM_MAX  65507 /* of UDP over IPv4 */

/* Append a frame.  @size is at most DATAGRAM_MAX. */
void datagram_put(struct buf *b, const void *data, size_t size);

/* The frame at the start of these bytes.  Returns 1 with the datagram, and the frame's length in
 * *used; 0 if more is needed; -1 if no datagram is as long as it says. */
int datagram_next(const uint8_t *data, size_t size, const uint8_t **datagram, size_t *length,
		  size_t *used) must_check;

#endif
