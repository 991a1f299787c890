/* manifest.h - reads what a registry sends: the manifest of an image or the list of an image's
 * platforms, the challenge of a registry that wants a login, and its errors.  Pure; fuzzed. */
#ifndef IMAGE_MANIFEST_H
#define IMAGE_MANIFEST_H

#include "base/buf.h"
#include "base/err.h"

#define MANIFEST_DIGEST 72 /* "sha256:<64 digits>" */
#define MANIFEST_OTHERS 7
/* The media types that are read, as an Accept header lists them. */
#define MANIFEST_ACCEPT                                               \
	"application/vnd.oci.image.index.v1+json, "                   \
	"application/vnd.docker.distribution.manifest.list.v2+json, " \
	"application/vnd.oci.image.manifest.v1+json, "                \
	"application/vnd.docker.distribution.manifest.v2+json"

enum manifest_kind {
	MANIFEST_IMAGE, /* of one platform, which its configuration names */
	MANIFEST_FOUND, /* a list with the wanted platform */
	MANIFEST_OTHER, /* a list without it */
};

struct manifest {
	enum manifest_kind kind;
	char config[MANIFEST_DIGEST]; /* MANIFEST_IMAGE: its configuration's digest */
	char image[MANIFEST_DIGEST];  /* MANIFEST_FOUND: the digest of that platform's image */
	char platforms[512];          /* MANIFEST_OTHER: "linux/arm64, linux/s390x" */
	/* MANIFEST_FOUND: the other images that the builder might take from this list. */
	char others[MANIFEST_OTHERS][MANIFEST_DIGEST];
	size_t n_others;
};

/* @arch is amd64 or arm64.  The message of a failure is the end of a sentence. */
int manifest_read(struct manifest *m, const struct buf *text, const char *arch,
		  struct err *e) must_check;
/* The platform that an image's configuration names, as "linux/amd64"; "" if none. */
void manifest_platform(const struct buf *config, char *to, size_t room);
void manifest_digest(const struct buf *text, char to[MANIFEST_DIGEST]);

/* WWW-Authenticate. */
struct manifest_challenge {
	bool bearer, basic;
	char realm[512], service[256];
};

void manifest_read_challenge(struct manifest_challenge *c, const char *header);
/* The first code of an answer with errors, as "MANIFEST_UNKNOWN"; "" if it has none. */
void manifest_error(const struct buf *text, char *to, size_t room);

#endif
