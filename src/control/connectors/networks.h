/* networks.h - the subnets and security groups that the configuration names. */
#ifndef CONTROL_CONNECTORS_NETWORKS_H
#define CONTROL_CONNECTORS_NETWORKS_H

#include <jansson.h>

#include "base/err.h"
#include "conf/conf.h"

/* Does the configuration name all that this connector's Configuration names?  *code is the
 * service's reason code otherwise, and the error says what is missing. */
int networks_named(const struct conf *conf, const json_t *configuration, const char **code,
		   struct err *e) must_check;

#endif
