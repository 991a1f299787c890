/* kms_key.h - the sections [kms_key alias/NAME], for reader.c. */
#ifndef CONF_KMS_KEY_H
#define CONF_KMS_KEY_H

#include "conf/conf.h"

/* The struct of that section, which may be a new one; NULL: it can be none. */
void *conf_kms_key(struct conf *c, const char *section, struct err *e);

#endif
