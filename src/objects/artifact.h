/* artifact.h - gives the image role read-only descriptors of objects (ipc/object.h). */
#ifndef OBJECTS_ARTIFACT_H
#define OBJECTS_ARTIFACT_H

#include "objects/store.h"

#include <uv.h>

struct artifact;

/* Serves on this socket, which it takes over, and frees itself when the other side is gone. */
int artifact_serve(uv_loop_t *loop, int sock, struct store *store, struct err *e) must_check;

#endif
