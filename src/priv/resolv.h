/* resolv.h - which resolver guests use: the configured one, or the host's first IPv4 resolver that
 * is not on a loopback, because a slot cannot reach a stub there. */
#ifndef PRIV_RESOLV_H
#define PRIV_RESOLV_H

#include "base/base.h"

/* Returns the first usable `nameserver` of a resolv.conf, in host order, or 0. Pure. */
uint32_t resolv_parse(const char *text);

/* Reads the current resolver; @configured ("" or an IPv4 address) comes first. 0: there is none. */
uint32_t resolv_read(const char *configured);

#endif
