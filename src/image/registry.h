/* registry.h - asks a registry for an image: is it there, for this host, and which one is it?
 * Fetching it is buildah's work (step_base.c). */
#ifndef IMAGE_REGISTRY_H
#define IMAGE_REGISTRY_H

#include "image/manifest.h"
#include "image/step.h"
#include "wire/reference.h"

/* Where a registry is reached, and as whom. */
struct registry_place {
	const char *shown;    /* for sentences: "docker.io", "127.0.0.1:5000" */
	const char *location; /* host:port, perhaps with a path */
	const char *user, *password;
	bool plain; /* it may lack TLS */
};

enum registry_answer {
	REGISTRY_SILENT, /* nobody there speaks as a registry */
	REGISTRY_HAS,
	REGISTRY_LACKS, /* no such name or tag */
	REGISTRY_OTHER, /* for other platforms alone */
	REGISTRY_FAILS, /* it refuses, limits, breaks off, or sends nonsense */
	REGISTRY_NUM_ANSWERS,
};

struct registry_found {
	char digest[MANIFEST_DIGEST]; /* of what the name means: an image or a list */
	char image[MANIFEST_DIGEST];  /* of the image for this host */
};

/* *e is the sentence for all answers but REGISTRY_HAS. */
enum registry_answer registry_look(const struct step *s, const struct registry_place *place,
				   const struct reference *r, struct registry_found *found,
				   struct err *e);

/* "user:password" in base64, as HTTP and buildah's files have it; owned by the caller. */
char *registry_credentials(const struct registry_place *place);

#endif
