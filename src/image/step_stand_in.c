/* Makes the images that stand in for public ones, once each.
 *
 * A recipe (libexec/stand-in) is a script that runs in a container of the base. It installs what
 * the official image has, and prints the image's configuration: one line each, a word of the table
 * below and its value. The image is named after all that goes into it, so it is made again when the
 * base or the recipe changes. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "image/stand_in.h"
#include "image/step.h"
#include "wire/sigv4.h"

#define RECIPES                                                                          \
	"/dev/doze-stand-in" /* /dev is a tmpfs of the container, so nothing of it stays \
			      */
#define NODES "/dev/doze-node"

static const char *const config_words[][2] = {
	{ "env", "--env" },       { "entrypoint", "--entrypoint" },   { "cmd", "--cmd" },
	{ "user", "--user" },     { "workdir", "--workingdir" },      { "port", "--port" },
	{ "volume", "--volume" }, { "stop-signal", "--stop-signal" },
};

static int recipe_read(const struct step *s, const char *name, struct buf *text, struct err *e)
{
	autofree char *path = xasprintf("%s/stand-in/%s", s->libexec, name);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || io_read_all(fd, text, MIB))
		return err_sys(e, "read '%s'", path);
	return 0;
}

static char *recipe_image(const struct step *s, const struct stand_in_choice *c, const char *base,
			  struct err *e)
{
	autobuf struct buf all = { 0 };
	char hex[65];

	buf_addf(&all, "%s\n%s\n%s\n", base, c->version, c->words);
	if (recipe_read(s, c->recipe, &all, e) || recipe_read(s, "common", &all, e))
		return NULL;
	sha256_hex(all.data, all.size, hex);
	return xasprintf("localhost/doze/%s:%s-%.12s", c->recipe, c->version, hex);
}

/* Turns the recipe's lines into arguments. They stay in @said, which is cut into strings. */
static int recipe_config(struct step_argv *a, char *said, struct err *e)
{
	char *line;

	while ((line = strsep(&said, "\n"))) {
		const char *word = strsep(&line, " "), *option = NULL;

		if (!*word)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(config_words); i++)
			if (!strcmp(config_words[i][0], word))
				option = config_words[i][1];
		if (!option || !line || a->n + 4 > ARRAY_SIZE(a->v))
			return err_set(e, ERR_INTERNAL, "a recipe printed '%s'", word);
		step_arg(a, option);
		step_arg(a, line);
	}
	return 0;
}

static int recipe_run(struct step *s, const struct stand_in_choice *c, const char *container,
		      struct buf *said, struct err *e)
{
	struct step_texts texts = { 0 };
	autofree char *recipes = xasprintf("%s/stand-in:%s:ro,nosuid,nodev", s->libexec, RECIPES);
	autofree char *nodes = xasprintf("%s/node:%s:ro,nosuid,nodev", s->store, NODES);
	autofree char *node_dir = xasprintf("%s/node", s->store);
	autofree char *script = xasprintf("%s/%s", RECIPES, c->recipe);
	struct step_argv a;
	int rc;

	step_buildah(s, &a, "run");
	step_runtime(s, &a, &texts);
	step_arg(&a, "--volume");
	step_arg(&a, recipes);
	if (!access(node_dir, X_OK)) {
		step_arg(&a, "--volume");
		step_arg(&a, nodes);
	}
	if (s->dns) {
		step_arg(&a, "--dns");
		step_arg(&a, s->dns);
	}
	step_arg(&a, container);
	step_arg(&a, "--");
	step_arg(&a, "/bin/sh");
	step_arg(&a, script);
	step_arg(&a, c->version);
	step_arg(&a, c->words);
	rc = step_must(&a, said, e);
	step_texts_free(&texts);
	return rc;
}

static int recipe_make(struct step *s, const struct stand_in_choice *c, const char *base,
		       const char *image, struct err *e)
{
	autobuf struct buf container = { 0 }, root = { 0 }, said = { 0 }, out = { 0 };
	autofree char *lines = NULL;
	struct step_argv a;
	int rc;

	printf("doze: making what stands in for it: %s %s on %s (once)\n", c->title, c->version,
	       c->base);
	if (step_mount(s, base, &container, &root, e))
		return -1;
	if (recipe_run(s, c, buf_str(&container), &said, e))
		goto failed;
	lines = xstrdup(buf_str(&said));
	step_buildah(s, &a, "config");
	if (recipe_config(&a, lines, e))
		goto failed;
	step_arg(&a, buf_str(&container));
	rc = step_run_all(&a, &out, e);
	if (rc > 0)
		err_set(e, ERR_INTERNAL, "buildah config: %s", buf_str(&out));
	if (rc || step_commit(s, &container, image, e))
		goto failed;
	return 0;
failed:
	step_drop(s, &container);
	return err_wrap(e, "make the stand-in '%s'", c->recipe);
}

/* Makes the image unless it is there. */
static char *recipe_take(struct step *s, const struct stand_in_choice *c, const char *base,
			 struct err *e)
{
	char *image = recipe_image(s, c, base, e);
	autofree char *name = xasprintf("stand-in-%s", c->recipe);
	autoclose int lock = -1;
	int rc = -1;

	if (!image)
		return NULL;
	if (step_image_exists(s, image))
		return image;
	lock = step_lock(s, name, e);
	if (lock >= 0) {
		step_images_forget(s); /* whoever held the lock may have made it */
		rc = step_images(s, e);
	}
	if (!rc && !step_image_exists(s, image)) {
		if (!strcmp(c->recipe, "node"))
			rc = step_node(s, c->version, true, e);
		if (!rc)
			rc = recipe_make(s, c, base, image, e);
	}
	if (rc) {
		free(image);
		return NULL;
	}
	return image;
}

static void stand_in_warn(const struct step *s, const char *name, const struct stand_in_choice *c)
{
	if (s->quiet || c->ours)
		return;
	if (c->recipe)
		printf("doze: warning: no registry answers for '%s'; %s %s on %s stands in for it, "
		       "which may differ%s\n",
		       name, c->title, c->version, c->base,
		       c->exact ? "" : " and is not the version asked for");
	else
		printf("doze: warning: no registry answers for '%s'; the local base %s stands in "
		       "for it, which may differ\n",
		       name, c->base);
}

struct stand_in_without {
	const char *base; /* that cannot be had; NULL: none yet */
	struct err why;
};

static int stand_in_refused(struct step *s, const char *name, struct err *e)
{
	return step_fail(s, "CONTAINER_BUILD_FAILED", e,
			 "The container image build failed. No registry answers for '%s', and %s; "
			 "`doze base import NAME FILE.tar` brings an image in.",
			 name, e->text);
}

/* Sites that reach only Debian's packages still have what is newer there. */
static bool stand_in_retry(const struct stand_in_choice *c, struct stand_in_without *w,
			   const struct err *e)
{
	if (w->base || strncmp(c->base, "ubuntu-", 7) != 0)
		return false;
	printf("doze: warning: %s\n", e->text);
	w->base = c->base;
	w->why = *e;
	return true;
}

int step_stand_in(struct step *s, const char *name, const char *full, char **image, struct err *e)
{
	struct stand_in_without without = { 0 };
	struct stand_in_choice c;

	*image = NULL;
	for (;;) {
		const char *amazon = without.base ? "debian-13" : s->amazon;
		int rc = stand_in_choose(full, amazon, without.base, s->older, &c, e);
		autofree char *base = NULL;

		if (!rc)
			return 0;
		if (rc < 0 && without.base) {
			*e = without.why;
			return -1;
		}
		if (rc < 0)
			return stand_in_refused(s, name, e);
		base = step_debian(s, c.base, c.amazon, e);
		if (!base && stand_in_retry(&c, &without, e))
			continue;
		if (!base)
			return -1;
		stand_in_warn(s, name, &c);
		*image = c.recipe ? recipe_take(s, &c, base, e) : xstrdup(base);
		return *image ? 0 : -1;
	}
}

bool step_stands_in(const char *full)
{
	struct stand_in_choice c;
	struct err ignored;

	return stand_in_choose(full, NULL, NULL, false, &c, &ignored) != 0;
}
