/* spec.h - reads from a START frame what to start.  Pure. */
#ifndef GUEST_SPEC_H
#define GUEST_SPEC_H

#include "base/err.h"
#include "wire/agent.h"

struct app_file {
	char *path;
	uint8_t *data;
	size_t size;
	bool over; /* only over a file that the image has */
};

/* Everything is owned.  Lists end with NULL. */
struct app_spec {
	char **argv, **env;
	size_t n_argv, n_env;
	char *user, *workdir; /* NULL: root, / */
	struct app_file *files;
	size_t n_files;
	bool all_caps, no_new_privs;
};

/* Returns -1 with the reason for a broken frame, no program, or a file without a path. */
int spec_parse(const struct agent_frame *f, struct app_spec *s, struct err *e) must_check;
void spec_drop_files(struct app_spec *s);
void spec_free(struct app_spec *s);

/* The value of a variable, borrowed, or NULL.  The last of several counts, as in a shell. */
const char *spec_env(const struct app_spec *s, const char *key);
/* Give a variable this value, at the place of the first one of its name or behind all others. */
void spec_env_set(struct app_spec *s, const char *key, const char *value);
/* Order the environment as Docker does: these defaults ("KEY=value", NULL) come first, and of
 * several variables of one name the last value stands at the first place. */
void spec_env_complete(struct app_spec *s, const char *const *defaults);

/* Add a file, unless there is one for this path. */
void spec_file_default(struct app_spec *s, const char *path, const char *text);

#endif
