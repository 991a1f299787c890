/* reference.h - reads the name of a container image as users write it: "node:22",
 * "registry.example.com:5000/team/base@sha256:...".  Pure; fuzzed.
 *
 * A parsed reference is complete: the registry is there ("docker.io" unless the name begins with
 * one), Docker's own images have "library/" in front, and a reference without a tag and a digest
 * has the tag "latest".  So two texts that mean the same give the same struct. */
#ifndef WIRE_REFERENCE_H
#define WIRE_REFERENCE_H

#include "base/err.h"

#define REFERENCE_MAX 768 /* of the whole text, with its NUL */

struct reference {
	char registry[256]; /* "docker.io", "localhost:5000"; small letters, where it has dots or a
			       port */
	char path[256];     /* "library/node" */
	char tag[129];      /* "22"; "" only where there is a digest */
	char digest[72];    /* "sha256:<64 digits>" or "" */
};

/* The message of a failure names the part that is wrong, and is the end of a sentence. */
int reference_parse(struct reference *r, const char *text, struct err *e) must_check;

/* "docker.io/library/node:22", or with the digest in the place of the tag where there is one: the
 * name under which a store knows the image. */
void reference_name(const struct reference *r, char to[REFERENCE_MAX]);
/* The shortest text that means the same: "node:22", "base". */
void reference_familiar(const struct reference *r, char to[REFERENCE_MAX]);
/* Docker's official images have a second home, AWS's public mirror of them.  False if @r is neither
 * there nor at Docker's; else @to is the same image at the other registry. */
bool reference_twin(const struct reference *r, struct reference *to);
/* Turns a name at that mirror into Docker's, so that one image has one name. */
void reference_unify(struct reference *r);

#endif
