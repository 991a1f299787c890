/* Resolves the names in the Dockerfile, lowers it, and gives it to buildah. */

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "image/step.h"
#include "wire/dockerfile.h"

#define STEP_NODE_DEFAULT 22               /* the version that a plain "nodejs" means */
#define STEP_NODE_DIR     "/dev/doze-node" /* /dev is a tmpfs of the step, so nothing of it stays */

struct step_name {
	char *name;
	char *image, *setup;
	struct dockerfile_base base;
};

struct step_plan {
	struct step *s;
	struct dockerfile *d;
	struct step_name *names;
	size_t n;
	bool node[100]; /* major versions that are needed */
};

static void plan_free(struct step_plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->names[i].name);
		free(p->names[i].image);
		free(p->names[i].setup);
	}
	free(p->names);
	dockerfile_free(p->d);
}

static void plan_add_name(void *arg, const char *name)
{
	struct step_plan *p = arg;

	p->names = xrealloc(p->names, (p->n + 1) * sizeof(*p->names));
	p->names[p->n++] = (struct step_name){ .name = xstrdup(name) };
}

/* Guesses what the front will have to install, from words like "nodejs22" and "python3.13" in RUN
 * and "node:22" in FROM. */
static void plan_scan(struct step_plan *p, const char *text)
{
	static const char python[] = "python3.", node[] = "nodejs", from[] = "node:";
	char *end;

	for (const char *s = text; (s = strstr(s, python)); s += sizeof(python) - 1)
		if (strtol(s + sizeof(python) - 1, &end, 10) >= 13)
			p->s->python13 = true;
	for (const char *s = text; (s = strstr(s, node)); s += sizeof(node) - 1) {
		long major = strtol(s + sizeof(node) - 1, &end, 10);

		if (end == s + sizeof(node) - 1)
			major = STEP_NODE_DEFAULT;
		if (major > 0 && major < (long)ARRAY_SIZE(p->node))
			p->node[major] = true;
	}
	for (const char *s = text; (s = strstr(s, from)); s += sizeof(from) - 1) {
		long major = strtol(s + sizeof(from) - 1, &end, 10);

		if (end == s + sizeof(from) - 1)
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

		if (step_resolve(p->s, n->name, &n->image, &n->setup, e))
			return -1;
		n->base = (struct dockerfile_base){ n->image, n->setup };
	}
	for (size_t major = 0; major < ARRAY_SIZE(p->node); major++)
		if (p->node[major] && step_node(p->s, (int)major, e))
			printf("doze: warning: Node %zu could not be had: %s\n", major, e->text);
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

static int plan_write_file(int dir, const struct dockerfile_file *f, struct err *e)
{
	autofree char *parent = xstrdup(f->path);
	char *slash = strchr(parent, '/');
	autoclose int fd = -1;

	if (slash) {
		*slash = '\0';
		if (io_mkdir(dir, parent, 0755))
			return err_set(e, ERR_INTERNAL, "make a heredoc's directory");
	}
	fd = io_open_below(dir, f->path, O_WRONLY | O_CREAT | O_TRUNC, f->script ? 0755 : 0644);
	if (fd < 0 || io_write_full(fd, f->data.data, f->data.size))
		return err_set(e, ERR_INTERNAL, "write a heredoc");
	return 0;
}

static int plan_lower(struct step_plan *p, struct err *e)
{
	const struct dockerfile_lowering how = { p->s->arch, plan_base, p };
	struct dockerfile_lowered l;
	autoclose int dir = -1;
	int rc = 0;

	if (io_mkdir(3, "heredocs", 0755) || fchmodat(3, "heredocs", 0755, 0))
		return err_set(e, ERR_INTERNAL, "make the heredocs' directory");
	dir = io_open_below(3, "heredocs", O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0)
		return err_set(e, ERR_INTERNAL, "open the heredocs' directory");
	if (dockerfile_lower(p->d, &how, &l, e))
		return step_fail(p->s, "CONTAINER_BUILD_FAILED", e,
				 "The container image build failed. %s", e->text);
	fputs(buf_str(&l.notes), stdout);
	for (size_t i = 0; !rc && i < l.n_files; i++)
		rc = plan_write_file(dir, &l.files[i], e);
	if (!rc)
		rc = io_replace(3, "Dockerfile.lowered", l.text.data, l.text.size, 0644, e);
	dockerfile_lowered_free(&l);
	return rc;
}

static int plan_bud(struct step_plan *p, struct err *e)
{
	static const char heredocs[] = DOCKERFILE_CONTEXT "=heredocs";
	static const char *const fixed[] = {
		"--pull-never",    "--layers=true", "--isolation", "oci",
		"--runtime",       "runc",          "--network",   "host",
		"--format",        "docker", /* the format that knows SHELL */
		"--build-context", heredocs,        "-f",          "Dockerfile.lowered"
	};
	const struct step *s = p->s;
	autofree char *ca = xasprintf("%s:%s:ro,nosuid,nodev", s->ca ? s->ca : "",
				      "/etc/ssl/certs/ca-certificates.crt");
	autofree char *nodes = xasprintf("%s/node:%s:ro,nosuid,nodev", s->store, STEP_NODE_DIR);
	autofree char *node_dir = xasprintf("%s/node", s->store);
	struct step_argv a;
	bool full = false;
	int rc;

	step_buildah(s, &a, "bud");
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		step_arg(&a, fixed[i]);
	if (s->ca) {
		step_arg(&a, "--volume");
		step_arg(&a, ca);
	}
	if (!access(node_dir, X_OK)) {
		step_arg(&a, "--volume");
		step_arg(&a, nodes);
	}
	if (s->dns) {
		step_arg(&a, "--dns");
		step_arg(&a, s->dns);
	}
	for (size_t i = 0; i < s->env.n; i++) {
		step_arg(&a, "--env");
		step_arg(&a, s->env.v[i]);
	}
	step_arg(&a, "-t");
	step_arg(&a, s->tag);
	step_arg(&a, "context");
	rc = step_run(&a, NULL, &full, e);
	if (rc > 0)
		return full ? step_fail(p->s, "DISK_STORAGE_FULL", e,
					"The disk became full while the container image was built.")
			    : step_fail(p->s, "CONTAINER_BUILD_FAILED", e,
					"The container image build failed.");
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
