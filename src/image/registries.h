/* registries.h - how a step asks registries: which are configured, with what secrets, and from
 * which network. */
#ifndef IMAGE_REGISTRIES_H
#define IMAGE_REGISTRIES_H

#include "image/job.h"

/* Whether the registry of this image's name is one of the configuration. */
bool registries_know(const struct conf *conf, const char *host);

/* Adds the arguments of a step that asks registries in @net, which is HOST or SLOT, and starts it.
 * Passwords go to steps in the host's network alone, and on their standard input. */
void registries_start(struct job *j, enum priv_net net);

/* RUN and steps in a slot get a copy of the host's resolv.conf, whose loopbacks are out of their
 * reach: names the resolver where there are such. */
void registries_resolver(struct job *j);

#endif
