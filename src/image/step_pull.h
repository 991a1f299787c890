/* step_pull.h - brings an image from its registry into the store. */
#ifndef IMAGE_STEP_PULL_H
#define IMAGE_STEP_PULL_H

#include "image/registry.h"

/* "host" for a registry of the configuration, whose address the operator has chosen; "slot" for one
 * that a stranger has named. */
const char *step_pull_network(const struct step *s, const struct reference *r);

/* Asks the registry, behind its mirror if it has one, and fetches what the store lacks.  The image
 * then has the name @stored, which *image is or means, owned by the caller.  *e is the end of a
 * sentence. */
enum registry_answer step_pull_image(struct step *s, const struct reference *r, const char *stored,
				     char **image, struct err *e);

/* Whether nobody has answered at that registry within the last five minutes. */
bool step_pull_silent(const struct step *s, const char *registry);

/* What builds can take in the place of @image, whose name with a digest is @as: itself, or a copy
 * with one layer if buildah could add none to it (step_flat.c).  *usable is the caller's. */
int step_flatten(struct step *s, const char *image, const char *as, char **usable,
		 struct err *e) must_check;
char *step_flat_name(const char *as);

#endif
