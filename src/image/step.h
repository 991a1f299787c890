/* step.h - doze-build-step: what a build does inside the namespaces that priv makes.
 *
 * One process, one job, blocking: it is root there and nobody outside.  Standard
 * output is the build log.  The working directory (also descriptor 3) is the
 * build's own; the outcome is left in its file `result.json`, which the image role reads as a
 * stranger's: {"ok": true, ...} or {"ok": false, "code": "...", "reason": "..."}. */
#ifndef IMAGE_STEP_H
#define IMAGE_STEP_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

#define STEP_MAX_LIST 64

struct step_list {
	const char *v[STEP_MAX_LIST];
	size_t n;
};

/* The command line. */
struct step {
	const char *dir; /* where descriptor 3 lies: a path of this mount namespace, as mounts need
			    it */
	const char *store;    /* the layer store's directory */
	const char *libexec;  /* where the front lies */
	const char *arch;     /* amd64, arm64 */
	const char *ca;       /* bundle to bind into RUN; NULL: none */
	const char *dns;      /* resolver for RUN; NULL: the host's resolv.conf */
	const char *registry; /* of npm; NULL: the public one */
	const char *tag;      /* of the image being built */
	const char *mirror;   /* of Debian; NULL: mmdebstrap's own choice */
	long gib;             /* of the disk */
	bool pull, quiet;     /* quiet: what stands in for what was said before */
	bool python13;        /* the Dockerfile asks for a Python that only Debian 13 has */
	struct step_list env, insecure, args;

	int hold;         /* the lock of step_use_store; -1: none */
	const char *code; /* of a failure; NULL: INTERNAL_PLATFORM_ERROR */
	json_t *result;   /* members of a success */
	json_t *images;   /* of the store; NULL: not asked yet */
};

/* Jobs.  0, or -1 with the sentence for people in *e and s->code. */
int step_unpack(struct step *s, struct err *e) must_check;
int step_base(struct step *s, struct err *e) must_check; /* what `build` needs of the network */
int step_build(struct step *s, struct err *e) must_check;
int step_disk(struct step *s, struct err *e) must_check;
int step_overlay(struct step *s, struct err *e) must_check; /* a qcow2 */
int step_import(struct step *s, struct err *e) must_check;
int step_list_bases(struct step *s, struct err *e) must_check;
int step_reset(struct step *s, struct err *e) must_check; /* what killed builds left in the store */
int step_clean(struct step *s, struct err *e) must_check; /* this build's own directory */

int step_fail(struct step *s, const char *code, struct err *e, const char *fmt, ...)
	printf_like(4, 5);

/* Children (step_run.c). */
struct step_argv {
	const char *v[160];
	size_t n;
};

void step_arg(struct step_argv *a, const char *arg); /* borrowed */
/* buildah with this store; more arguments follow by step_arg. */
void step_buildah(const struct step *s, struct step_argv *a, const char *verb);
/* Run it: exit status, 128 + signal, or -1.  @out takes its standard output; NULL: that goes to the
 * log, and *full says whether a line of it told of a full disk (may be NULL). */
int step_run(struct step_argv *a, struct buf *out, bool *full, struct err *e) must_check;
/* Standard output and errors into @out. */
int step_run_all(struct step_argv *a, struct buf *out, struct err *e) must_check;
/* The same as step_run, and a failure is an error. */
int step_must(struct step_argv *a, struct buf *out, struct err *e) must_check;
int step_setup(struct step *s, struct err *e) must_check; /* environment and configuration files */

/* The store (step_store.c). */
int step_images(struct step *s, struct err *e) must_check; /* read the list, unless it is known */
bool step_image_exists(const struct step *s, const char *name); /* in that list */
void step_images_forget(struct step *s);
int step_tag(struct step *s, const char *image, const char *name, struct err *e) must_check;
/* A working container of an image ("scratch"), mounted: its name and its root. */
int step_mount(struct step *s, const char *image, struct buf *container, struct buf *root,
	       struct err *e) must_check;
int step_commit(struct step *s, struct buf *container, const char *name, struct err *e) must_check;
void step_drop(struct step *s, struct buf *container);
int step_lock(struct step *s, const char *name, struct err *e) must_check; /* owned descriptor */
bool step_store_full(const struct step *s);
void step_make_room(const struct step *s); /* if it is full: enough for buildah to clear things */
int step_prune(struct step *s, struct err *e) must_check;     /* if it is large */
int step_use_store(struct step *s, struct err *e) must_check; /* before anything in it is touched */
/* Working containers of steps that were killed or ran out of disk, if no other step is at work. */
int step_drop_left(struct step *s, struct err *e) must_check;

/* Bases (step_base.c, step_debian.c). */
const char *step_debian(struct step *s, const char *name, struct err *e) must_check; /* its image */
/* Resolve one name: image and setup lines, owned by the caller; 0 or -1. */
int step_resolve(struct step *s, const char *name, char **image, char **setup,
		 struct err *e) must_check;

/* HTTP (step_fetch.c): the body, or an error; @most bytes. */
int step_fetch(const struct step *s, const char *url, const char *accept, size_t most,
	       struct buf *body, struct err *e) must_check;
/* @plain: it may do so without TLS. */
bool step_answers(const struct step *s, const char *registry,
		  bool plain); /* something speaks HTTP there */
/* Node of a major in the store's node/ directory (step_node.c). */
int step_node(struct step *s, int major, struct err *e) must_check;

#endif
