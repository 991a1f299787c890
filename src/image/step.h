/* step.h - doze-build-step: the work of a build inside the namespaces that priv makes.
 *
 * Each process does one job and blocks. It is root inside and has no rights outside. Its standard
 * output is the build log, and its working directory (also descriptor 3) is the build's own. It
 * leaves the outcome there as `result.json`, which the image role does not trust: {"ok": true, ...}
 * or {"ok": false, "code": "...", "reason": "..."}. */
#ifndef IMAGE_STEP_H
#define IMAGE_STEP_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

#define STEP_MAX_LIST 256

struct step_list {
	const char *v[STEP_MAX_LIST];
	size_t n;
};

/* The command line. */
struct step {
	const char *dir;      /* the path of descriptor 3 in this mount namespace, for mounts */
	const char *store;    /* the layer store's directory */
	const char *libexec;  /* where the package front is */
	const char *arch;     /* amd64, arm64 */
	const char *ca;       /* bundle to bind into RUN; NULL: none */
	const char *dns;      /* resolver for RUN; NULL: the host's resolv.conf */
	const char *registry; /* of npm; NULL: the public one */
	const char *tag;      /* of the image being built */
	const char *mirror;   /* of Debian; NULL: mmdebstrap's own choice */
	const char *pull;     /* always, missing; NULL: no registry is asked */
	const char *network;  /* host, slot: where registries are asked from; NULL: nowhere */
	const char *silence;  /* milliseconds ([build] silence_timeout_ms); NULL: no limit */
	long gib;             /* of the disk */
	bool quiet;           /* an earlier step has printed this already */
	bool older;           /* a stand-in may be older than what was asked for */
	const char *amazon;   /* the base for Amazon Linux (stand_in_scan); NULL: the default */
	struct step_list env, insecure, args;

	int hold;           /* the lock of step_use_store; -1: none */
	const char *code;   /* the code of a failure; NULL: INTERNAL_PLATFORM_ERROR */
	json_t *result;     /* members of a success */
	json_t *images;     /* the images of the store; NULL: not read yet */
	json_t *bases;      /* what is known of each name (step_base.c); NULL: not read yet */
	json_t *registries; /* the configured ones, by host: {"mirror", "user", "password"} */
	const char *registries_conf; /* of buildah */
};

/* Jobs. They return 0, or -1 with a sentence for the user in *e and a code in s->code. */
int step_unpack(struct step *s, struct err *e) must_check;
int step_base(struct step *s,
	      struct err *e) must_check; /* fetches what `build` needs from the network */
int step_build(struct step *s, struct err *e) must_check;
int step_disk(struct step *s, struct err *e) must_check;
int step_overlay(struct step *s, struct err *e) must_check; /* makes a qcow2 */
int step_pull(struct step *s, struct err *e) must_check;    /* as `base`, from a slot's network */
int step_import(struct step *s, struct err *e) must_check;
int step_list_bases(struct step *s, struct err *e) must_check;
int step_remove_base(struct step *s, struct err *e) must_check;
int step_pull_base(struct step *s, struct err *e) must_check; /* one name, never a stand-in */
int step_reset(struct step *s,
	       struct err *e) must_check; /* removes what killed builds left in the store */
int step_clean(struct step *s, struct err *e) must_check; /* empties this build's own directory */

int step_fail(struct step *s, const char *code, struct err *e, const char *fmt, ...)
	printf_like(4, 5);

/* Children (step_run.c). */
struct step_argv {
	const char *v[320];
	size_t n;
	unsigned silence_s; /* ends it when it has neither read nor written so long; 0: never */
	uint64_t room;      /* ends it when the disk of descriptor 3 has less left; 0: never */
};

/* In the place of an exit status: it was ended for its silence, or for the room on the disk. */
#define STEP_SILENT 256
#define STEP_FULL   257

void step_arg(struct step_argv *a, const char *arg); /* borrowed */
/* Begins a call of buildah with this store; step_arg adds arguments. */
void step_buildah(const struct step *s, struct step_argv *a, const char *verb);
/* Adds the options by which buildah runs what is inside a container, with the site's certificates.
 * The texts must live as long as @a, and are freed afterwards. */
struct step_texts {
	char *runtime, *ca, *java;
};
void step_runtime(const struct step *s, struct step_argv *a, struct step_texts *t);
void step_texts_free(struct step_texts *t);
/* Runs it and returns its exit status, 128 + signal, or -1. @out takes its standard output. If @out
 * is NULL the output goes to the log, and *full, unless NULL, says whether one of its lines reports
 * a full disk. */
int step_run(struct step_argv *a, struct buf *out, bool *full, struct err *e) must_check;
/* Runs it with standard output and standard error into @out. */
int step_run_all(struct step_argv *a, struct buf *out, struct err *e) must_check;
/* Does the same as step_run, but a failure is an error. */
int step_must(struct step_argv *a, struct buf *out, struct err *e) must_check;
int step_setup(struct step *s, struct err *e) must_check; /* environment and configuration files */
/* Ends each child that neither prints nor works for so long; 0: none. Before, it is warned of.
 * @proc is the /proc that shows what works; borrowed. */
void step_silence_limit(int64_t limit_ms, const char *proc);
const char *step_silence_reason(void); /* a sentence, if one was ended; NULL: none was */
/* For who reads a child's output: waits until there is some, and warns and fails as the limit says.
 * silence_heard (image/step_silence.h) notes what was read. */
struct silence;
void step_silence_begin(struct silence *s);
int step_await_output(int fd, struct silence *s, struct err *e) must_check;

/* The store (step_store.c). */
int step_images(struct step *s, struct err *e) must_check; /* reads the list unless it is known */
bool step_image_exists(const struct step *s, const char *name); /* in that list */
void step_images_forget(struct step *s);
/* The id of the image of that name in the list, or NULL. */
const char *step_image_id(const struct step *s, const char *name);
const char *step_image_digest(const struct step *s, const char *name); /* "": not known */
/* Takes the name away; the image goes with its last one.  No such name is no failure. */
int step_untag(struct step *s, const char *name, struct err *e) must_check;
int step_tag(struct step *s, const char *image, const char *name, struct err *e) must_check;
/* What the builder knows of an image; owned.  NULL: *e says why. */
json_t *step_inspect(const struct step *s, const char *image, struct err *e) must_check;
/* Makes a working container of @image, and returns its name. */
int step_from(const struct step *s, const char *image, struct buf *container,
	      struct err *e) must_check;
/* Makes and mounts a working container of @image (which may be "scratch"), and returns its name and
 * its root. */
int step_mount(struct step *s, const char *image, struct buf *container, struct buf *root,
	       struct err *e) must_check;
int step_commit(struct step *s, struct buf *container, const char *name, struct err *e) must_check;
void step_drop(struct step *s, struct buf *container);
int step_lock(struct step *s, const char *name, struct err *e) must_check; /* owned descriptor */
bool step_store_full(const struct step *s);
void step_make_room(const struct step *s); /* makes enough room in a full store for buildah to
					      delete something */
int step_prune(struct step *s, struct err *e) must_check; /* if the store is large */
int step_use_store(struct step *s, struct err *e)
	must_check; /* must come before anything in the store is touched */
/* Removes the working containers of steps that were killed or ran out of disk, unless another step
 * is running. */
int step_drop_left(struct step *s, struct err *e) must_check;

/* Bases (step_base.c, step_debian.c, step_clones.c, step_stand_in.c). */
/* The image of a base, which is made if it is not there; with @amazon it answers to dnf. The caller
 * owns the name. */
char *step_debian(struct step *s, const char *name, bool amazon, struct err *e) must_check;
/* The image below it, which `doze base import` may bring; NULL if it is no base. Owned too. */
char *step_debian_raw(const char *name);
/* Dresses the tree of a base of ours so that its clones draw different secrets. */
int step_clones(struct step *s, const char *root, struct err *e) must_check;
/* All that this dress is made of. */
int step_clones_text(const struct step *s, struct buf *to, struct err *e) must_check;
/* Resolves one name to an image, which the caller owns.  0 or -1.  *image is NULL if only another
 * step can tell, and then the result says so: `base` leaves registries that are not configured to
 * `pull`. */
int step_resolve(struct step *s, const char *name, char **image, struct err *e) must_check;
/* Whether anything stands in for @full, the full name of an image as reference_name gives it. */
bool step_stands_in(const char *full);
/* The image that stands in for @full where no registry answers; the Dockerfile calls it @name.
 * *image is owned by the caller, and NULL if nothing is known about such a name. */
int step_stand_in(struct step *s, const char *name, const char *full, char **image,
		  struct err *e) must_check;
/* A second name that images have which were imported as @name, so that no registry is asked. */
char *step_import_mark(const char *name);

/* HTTP (step_fetch.c): fetches a body of at most @most bytes. */
int step_fetch(const struct step *s, const char *url, const char *accept, size_t most,
	       struct buf *body, struct err *e) must_check;
/* Puts the newest Node of a version, "22" or "22.11", and the npm that fits it into the store's
 * node/ directory (step_node.c); with @tools also yarn and corepack. */
int step_node(struct step *s, const char *version, bool tools, struct err *e) must_check;

#endif
