/* suggest.h - the commands that doze suggests to its reader; all of them go through here. */
#ifndef CLI_SUGGEST_H
#define CLI_SUGGEST_H

#include "conf/conf.h"

/* True for a command that only root can run; @words as typed. */
bool command_needs_root(const char *words);
/* How the reader types this command to reach this instance, with sudo where it needs that.  Owned
 * by the caller. */
char *command_text(const struct conf *conf, const char *words);
/* What a sentence calls this instance: "doze" or "instance NAME". Owned by the caller. */
char *instance_text(const struct conf *conf);
/* A text of the table of commands, with the instance's directory of configuration for "{etc}".
 * Owned by the caller. */
char *help_text(const struct conf *conf, const char *text);

#endif
