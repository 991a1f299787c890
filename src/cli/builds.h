/* builds.h - what the commands do with a build that is under way or has ended. */
#ifndef CLI_BUILDS_H
#define CLI_BUILDS_H

#include "cli/client.h"

#define IMAGES "/2025-09-09/microvm-images"

/* Shows a build until it has ended: 0 if the version is made, else the exit status of the command,
 * after its reason was printed. Ctrl-C asks whether to cancel it. */
int build_follow(struct client *c, const char *arn, const char *version, bool verbose);

#endif
