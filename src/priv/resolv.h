/* resolv.h - which resolver guests are sent to: the configured one, or the host's first IPv4
 * resolver that is not on a loopback (a stub there cannot be reached from a slot). */
#ifndef PRIV_RESOLV_H
#define PRIV_RESOLV_H

#include "base/base.h"

/* The first usable `nameserver` of a resolv.conf, in host order; 0: none.  Pure. */
uint32_t resolv_parse(const char *text);

/* Now, with @configured ("" or an IPv4 address) first; 0: none. */
uint32_t resolv_read(const char *configured);

#endif
