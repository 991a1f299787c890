/* guest_names.h - what guests know of names beside their resolver: [network] search, hosts.  Pure.
 */
#ifndef CONF_GUEST_NAMES_H
#define CONF_GUEST_NAMES_H

#include "base/buf.h"
#include "base/err.h"

#define GUEST_SEARCH_MOST 6 /* domains: what glibc and musl both read */
#define GUEST_HOST_NAMES  8 /* of one address */

/* @search: domains with blanks between them.  @hosts: "10.1.2.3 db.example db; ..." */
int guest_names_check(const char *search, const char *hosts, struct err *e) must_check;
/* /etc/resolv.conf and /etc/hosts of a guest.  The texts have been checked. */
void guest_names_resolver(struct buf *to, const char *search);
void guest_names_hosts(struct buf *to, const char *hosts);

#endif
