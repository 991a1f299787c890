/* site_ca.h - how programs are told of the certificates that a site trusts ([build] site_ca).
 *
 * In guests the bundle lies over the system's store, and in builds it is added to that (runc_ca.h).
 * The variables below are for programs that bring a store of their own. They are given to RUN and
 * to guests as defaults, so a value of the user's wins, and no image keeps them. */
#ifndef IMAGE_SITE_CA_H
#define IMAGE_SITE_CA_H

#include <stddef.h>

#define SITE_CA_PLACE "/etc/ssl/certs/ca-certificates.crt"

/* The name of the n-th variable whose value is the path of a bundle; NULL behind the last. */
const char *site_ca_variable(size_t n);

#endif
