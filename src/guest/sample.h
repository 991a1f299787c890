/* sample.h - tells the host how much goes on in the guest, while an image is made: the counters
 * from which it judges whether the application still starts.
 *
 * The figures are the guest's own.  On a loaded host a guest gets little of a processor, but a
 * guest that waits for it is busy by its own clock. */
#ifndef GUEST_SAMPLE_H
#define GUEST_SAMPLE_H

#include "guest/logs.h"
#include "guest/port.h"

#define SAMPLE_EVERY_MS 250
#define SAMPLE_UDP_MAX  64 /* ports in one frame */

struct sampler {
	struct port *port;       /* borrowed */
	const struct logs *logs; /* borrowed */
	struct timer timer;
	int64_t began_ms;
};

/* Sends a sample now and then until it is stopped. */
void sample_start(struct sampler *s, struct port *port, const struct logs *logs);
void sample_stop(struct sampler *s); /* harmless if not started */

/* What the kernel's files say.  Pure; a line that is missing or malformed counts as 0.  @text ends
 * with NUL. */
uint64_t sample_number(const char *text, const char *key); /* of the line "<key> <number>" */
uint64_t sample_steal_us(const char *stat);
uint64_t sample_disk(const char *diskstats, const char *disk);
uint64_t sample_net(const char *net_dev, const char *interface);
/* The ports of /proc/net/udp or udp6 that take datagrams from anyone; returns how many. */
size_t sample_udp(const char *table, uint16_t *ports, size_t room);

#endif
