/* role.h - the sections [role NAME], for reader.c. */
#ifndef CONF_ROLE_H
#define CONF_ROLE_H

#include "conf/conf.h"

/* The struct of that section, which may be a new one; NULL: it can be none. */
void *conf_role(struct conf *c, const char *section, struct err *e);
/* What its keys say together.  @name: of the file. */
int conf_check_role(const struct conf_role *r, const char *name, struct err *e) must_check;

#endif
