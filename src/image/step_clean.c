/* Clears the store and a build's directory. */

#include "base/io.h"
#include "image/step.h"

int step_reset(struct step *s, struct err *e)
{
	if (step_drop_left(s, e))
		return -1;
	return step_prune(s, e);
}

/* Only this side may delete the files that it has made. `result.json` is written afterwards. */
int step_clean(struct step *s, struct err *e)
{
	static const char *const dirs[] = {
		"context", "fetched", "heredocs", "home", "run", "tmp"
	};

	if (s->store && step_drop_left(s, e))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (io_remove_tree(3, dirs[i]))
			return err_set(e, ERR_INTERNAL, "clear the build's directory '%s'",
				       dirs[i]);
	return 0;
}
