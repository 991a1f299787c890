/* profile.h - servers elsewhere that `doze login` has stored: where each one is, whose key signs,
 * which CA it has.
 *
 * A profile is NAME.json (0600) below ~/.config/doze/profiles, and NAME.crt, the certificates that
 * its server's must come from. */
#ifndef CLI_PROFILE_H
#define CLI_PROFILE_H

#include <jansson.h>

#include "base/err.h"

struct client;

#define PROFILE_DEFAULT "default"

/* What a profile may be called: 1 to 32 of a-z, 0-9, '-' and '_'. */
bool profile_name_valid(const char *name);

/* Point @c, whose configuration is all defaults, at the server of this profile. */
int profile_read(struct client *c, const char *name, struct err *e) must_check;
/* The same, in place of client_open. */
int profile_connect(struct client *c, const char *name, struct err *e) must_check;
/* Store what @c says, and the PEM @ca; the profile of that name is replaced. */
int profile_write(const struct client *c, const char *name, const char *ca,
		  struct err *e) must_check;
int profile_remove(const char *name, struct err *e) must_check; /* ERR_NOT_FOUND */
/* An array of {"name", "host", "apiPort", "region", "account"}, sorted; a new reference. */
json_t *profile_list(struct err *e);

#endif
