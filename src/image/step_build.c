/* step_build.c - resolves the names in the Dockerfile, lowers it, and gives it to buildah. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "image/stand_in.h"
#include "image/step_lower.h"

#define STEP_NODE_DEFAULT 22               /* the version that a plain "nodejs" means */
#define PLAN_OWN          16               /* names of the build context */
#define STEP_NODE_DIR     "/dev/doze-node" /* /dev is a tmpfs of the step, so nothing of it stays */

struct step_name {
	char *name;
	char *image, *id;
	json_t *config;
	struct dockerfile_base base;
};

struct step_plan {
	struct step *s;
	struct dockerfile *d;
	struct step_name *names;
	size_t n;
	struct dockerfile_lowered lowered;
	bool node[100]; /* major versions that are needed */
	bool odd_names; /* in the build context ... */
	bool looked;    /* ... if somebody asked */
};

static void plan_free(struct step_plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->names[i].name);
		free(p->names[i].image);
		free(p->names[i].id);
		json_decref(p->names[i].config);
	}
	free(p->names);
	dockerfile_lowered_free(&p->lowered);
	dockerfile_free(p->d);
}

static void plan_add_name(void *arg, const char *name)
{
	struct step_plan *p = arg;

	p->names = xrealloc(p->names, (p->n + 1) * sizeof(*p->names));
	p->names[p->n++] = (struct step_name){ .name = xstrdup(name) };
}

/* Guesses what the front will have to install, from words like "nodejs22" and "python3.13". */
static void plan_scan(struct step_plan *p, const char *text)
{
	static const char node[] = "nodejs";
	char *end;

	p->s->amazon = stand_in_scan(text);
	for (const char *s = text; (s = strstr(s, node)); s += sizeof(node) - 1) {
		long major = strtol(s + sizeof(node) - 1, &end, 10);

		if (end == s + sizeof(node) - 1)
			major = STEP_NODE_DEFAULT;
		if (major > 0 && major < (long)ARRAY_SIZE(p->node))
			p->node[major] = true;
	}
}

static int plan_read(struct step_plan *p, struct err *e)
{
	autobuf struct buf text = { 0 };
	autoclose int fd = io_open_below(3, "context/Dockerfile", O_RDONLY, 0);

	if (fd < 0 || io_read_all(fd, &text, LIMIT_DOCKERFILE))
		return err_set(e, ERR_INTERNAL, "read the Dockerfile");
	p->d = dockerfile_parse((const char *)text.data, text.size, e);
	if (!p->d || dockerfile_bases(p->d, p->s->arch, plan_add_name, p, e))
		return step_fail(p->s, "CONTAINER_BUILD_FAILED", e,
				 "The container image build failed. %s", e->text);
	plan_scan(p, buf_str(&text));
	return 0;
}

static int plan_resolve(struct step_plan *p, struct err *e)
{
	for (size_t i = 0; i < p->n; i++) {
		struct step_name *n = &p->names[i];

		if (step_resolve(p->s, n->name, &n->image, e))
			return -1;
	}
	for (size_t major = 0; major < ARRAY_SIZE(p->node); major++) {
		char version[8];

		snprintf(version, sizeof(version), "%zu", major);
		if (p->node[major] && step_node(p->s, version, false, e))
			printf("doze: warning: Node %s could not be had: %s\n", version, e->text);
	}
	return 0;
}

int step_base(struct step *s, struct err *e)
{
	struct step_plan p = { .s = s };
	int rc = 0;

	for (size_t i = 0; i < s->args.n; i++)
		plan_add_name(&p, s->args.v[i]);
	if (!s->args.n)
		rc = plan_read(&p, e);
	if (!rc)
		rc = plan_resolve(&p, e);
	plan_free(&p);
	return rc;
}

static const struct dockerfile_base *plan_base(void *arg, const char *name)
{
	const struct step_plan *p = arg;

	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->names[i].name, name))
			return &p->names[i].base;
	return NULL;
}

static const char *plan_content(void *arg, const char *path)
{
	(void)arg;
	return context_hash(path);
}

static bool plan_folder(void *arg, const char *path)
{
	(void)arg;
	return context_is_folder(path);
}

static bool plan_odd_names(void *arg)
{
	struct step_plan *p = arg;

	if (!p->looked)
		p->odd_names = context_has_odd_names();
	p->looked = true;
	return p->odd_names;
}

/* What a base brings with it is known before anything of the Dockerfile is rewritten. */
static int plan_inspect(struct step_plan *p, struct err *e)
{
	for (size_t i = 0; i < p->n; i++) {
		struct step_name *n = &p->names[i];

		if (inspect_base(p->s, &n->image, &n->id, &n->config, e))
			return -1;
		n->base = (struct dockerfile_base){ n->image, n->id, n->config };
	}
	return 0;
}

static int plan_lower(struct step_plan *p, struct err *e)
{
	const struct dockerfile_lowering how = { .arch = p->s->arch,
						 .base = plan_base,
						 .content = plan_content,
						 .folder = plan_folder,
						 .odd_names = plan_odd_names,
						 .arg = p };
	struct dockerfile_lowered *l = &p->lowered;

	if (context_ignore(p->s, e) || plan_inspect(p, e))
		return -1;
	if (dockerfile_lower(p->d, &how, l, e))
		return step_fail(p->s, "CONTAINER_BUILD_FAILED", e,
				 "The container image build failed. %s", e->text);
	fputs(buf_str(&l->notes), stdout);
	fflush(stdout);
	if (l->n_own > PLAN_OWN)
		return step_fail(p->s, "CONTAINER_BUILD_FAILED", e,
				 "The container image build failed. More than %d steps mount "
				 "different parts of the build context.",
				 PLAN_OWN);
	if (context_write(l, e) || get_all(p->s, l, e))
		return -1;
	return io_replace(3, "Dockerfile.lowered", l->text.data, l->text.size, 0644, e);
}

/* Paths by the names that the lowered Dockerfile uses for them. The texts must live as long as the
 * arguments. */
static void plan_contexts(const struct step_plan *p, struct step_argv *a, char **texts)
{
	const struct dockerfile_lowered *l = &p->lowered;
	size_t n = 0;

	texts[n++] = xasprintf("%s=heredocs", DOCKERFILE_CONTEXT);
	if (l->n_fetches)
		texts[n++] = xasprintf("%s=fetched", DOCKERFILE_FETCHED);
	if (l->tools)
		texts[n++] = xasprintf("%s=%s", DOCKERFILE_TOOLS, p->s->libexec);
	for (size_t i = 0; i < l->n_own; i++)
		texts[n++] = xasprintf("%s=context", l->own[i]);
	for (size_t i = 0; i < n; i++) {
		step_arg(a, "--build-context");
		step_arg(a, texts[i]);
	}
}

/* Caches of RUN live in the store, where the builder looks for them below its temporary folder. */
static int plan_caches(const struct step *s, struct err *e)
{
	autofree char *caches = xasprintf("%s/caches", s->store);

	if (mkdir(caches, 0700) && errno != EEXIST)
		return err_sys(e, "make '%s'", caches);
	if (symlinkat(caches, 3, "tmp/buildah-cache") && errno != EEXIST)
		return err_sys(e, "place the caches");
	return 0;
}

static int plan_failed(struct step_plan *p, struct say *say, struct err *e)
{
	autobuf struct buf why = { 0 };

	if (say->full)
		return step_fail(p->s, "DISK_STORAGE_FULL", e,
				 "The disk became full while the container image was built.");
	say_failure(say, &why);
	return step_fail(p->s, "CONTAINER_BUILD_FAILED", e,
			 "The container image build failed.%s%.800s", why.size ? " " : "",
			 buf_str(&why));
}

static int plan_bud(struct step_plan *p, struct err *e)
{
	static const char *const fixed[] = {
		"--pull-never", "--layers=true",
		"--format",     "docker", /* the format that knows SHELL */
		"--ignorefile", "/dev/null",
		"-f",           "Dockerfile.lowered"
	};
	struct step_texts runtime = { 0 };
	const struct step *s = p->s;
	autofree char *nodes = xasprintf("%s/node:%s:ro,nosuid,nodev", s->store, STEP_NODE_DIR);
	autofree char *node_dir = xasprintf("%s/node", s->store);
	char *texts[PLAN_OWN + 3] = { NULL };
	struct say say = { .lowered = &p->lowered };
	struct step_argv a;
	int rc;

	if (plan_caches(s, e))
		return -1;
	step_buildah(s, &a, "bud");
	plan_contexts(p, &a, texts);
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		step_arg(&a, fixed[i]);
	step_runtime(s, &a, &runtime);
	if (!access(node_dir, X_OK)) {
		step_arg(&a, "--volume");
		step_arg(&a, nodes);
	}
	if (s->dns) {
		step_arg(&a, "--dns");
		step_arg(&a, s->dns);
	}
	step_arg(&a, "-t");
	step_arg(&a, s->tag);
	step_arg(&a, "context");
	rc = say_run(&say, &a, e);
	step_texts_free(&runtime);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(texts[i]);
	rc = rc > 0 ? plan_failed(p, &say, e) : rc;
	say_free(&say);
	return rc;
}

int step_build(struct step *s, struct err *e)
{
	struct step_plan p = { .s = s };
	int rc;

	if (!s->tag || !s->store || !s->libexec)
		return err_set(e, ERR_INVALID, "build needs --tag, --store and --libexec");
	s->quiet = true; /* the base step has printed it */
	rc = step_prune(s, e);
	if (!rc && step_store_full(s))
		rc = step_fail(s, "DISK_STORAGE_FULL", e,
			       "The store of image layers is full ([build] disk_gib).");
	if (!rc)
		rc = plan_read(&p, e);
	if (!rc)
		rc = plan_resolve(&p, e);
	if (!rc)
		rc = plan_lower(&p, e);
	if (!rc)
		rc = plan_bud(&p, e);
	plan_free(&p);
	return rc;
}
