/* runc_ca.h - the site's certificates in the store of a container while a step of a build runs.
 *
 * A mount over the store would do for programs that read it, but then no program could replace it,
 * as `update-ca-certificates` and the package ca-certificates do. So the file itself gets the
 * certificates, and loses them when the step is over. What the step did to the file stays. */
#ifndef IMAGE_RUNC_CA_H
#define IMAGE_RUNC_CA_H

#include "base/err.h"

#define RUNC_CA_PLACE "/dev/doze-ca.crt" /* the store and the site's certificates, in RUN */
#define RUNC_CA_FILE  "ca.crt"           /* that file, in the build's directory */

/* Before the container @name with this root starts. @dir is the build's directory, which has the
 * site's certificates as `site.crt`. */
int runc_ca_put(int dir, const char *root, const char *name, struct err *e) must_check;
/* After it has ended. */
int runc_ca_take(int dir, const char *name, struct err *e) must_check;

#endif
