/* resolv.h - which resolver guests are sent to: the configured one, or the host's first IPv4
 * resolver that is not on a loopback (a stub there cannot be reached from a slot). */
#ifndef BASE_RESOLV_H
#define BASE_RESOLV_H

#include "base/base.h"

/* Returns the first usable `nameserver` of a resolv.conf, in host order, or 0. Pure. */
uint32_t resolv_parse(const char *text);

/* Now, with @configured ("" or an IPv4 address) first; 0: none.  *behind_stub: /etc/resolv.conf
 * itself names only loopbacks, and the address is the one that systemd-resolved asks; may be NULL.
 */
uint32_t resolv_read(const char *configured, bool *behind_stub);

#endif
