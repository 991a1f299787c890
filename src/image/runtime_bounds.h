/* runtime_bounds.h - what a step of a build may mount.
 *
 * The builder joins the source of a mount as text and follows the links of whoever made the context
 * or the stage, which may lead anywhere on the host.  So it is asked of the kernel what each source
 * has become: a place in a file system.  Only the build's own directory, parts of the store of
 * layers, the trees of this build's stages and the recipes of ours may be mounted. */
#ifndef IMAGE_RUNTIME_BOUNDS_H
#define IMAGE_RUNTIME_BOUNDS_H

#include <jansson.h>

#include "base/base.h"

/* @mounts is the list of config.json.  0, or -1 with errno EPERM after a line on standard error.
 * Reads the directories from the environment: DOZE_RUN_DIR, DOZE_RUN_STORE, DOZE_RUN_LIBEXEC. */
int runtime_keep_inside(const json_t *mounts) must_check;

#endif
