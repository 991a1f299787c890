/* Sets up the world in which the children of a step run: their directories, their configuration,
 * and the site's certificates. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "image/java_store.h"
#include "image/runc_ca.h"
#include "image/site_ca.h"
#include "image/step.h"

#define STEP_BUNDLE (8 * MIB)
#define STEP_PATH   "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int step_write(const char *name, const char *text, struct err *e)
{
	return io_replace(3, name, text, strlen(text), 0644, e);
}

/* Puts the site's certificates into the build's directory, also in Java's form, since that reads no
 * PEM. Without them builds go on. */
static int step_certificates(struct step *s, struct err *e)
{
	autobuf struct buf pem = { 0 }, store = { 0 };
	autoclose int fd = s->ca ? open(s->ca, O_RDONLY | O_CLOEXEC) : -1;

	if (!s->ca)
		return 0;
	if (fd < 0 || io_read_all(fd, &pem, STEP_BUNDLE) || java_store(&pem, &store, e)) {
		printf("doze: warning: %s holds no certificates and is not used\n", s->ca);
		s->ca = NULL;
		return 0;
	}
	if (io_replace(3, "site.crt", pem.data, pem.size, 0644, e) ||
	    io_replace(3, RUNC_CA_FILE, pem.data, pem.size, 0644, e))
		return -1;
	return io_replace(3, "cacerts", store.data, store.size, 0644, e);
}

/* These variables are defaults of RUN (runc_main.c): those of the image win, and no image keeps
 * them. */
static void step_run_env(const struct step *s)
{
	autobuf struct buf lines = { 0 };
	bool front = false;

	for (size_t i = 0; i < s->env.n; i++) {
		buf_addf(&lines, "%s\n", s->env.v[i]);
		front = front || !strncmp(s->env.v[i], "DEBIAN_FRONTEND=", 16);
	}
	if (!front)
		buf_adds(&lines, "DEBIAN_FRONTEND=noninteractive\n");
	if (s->older)
		buf_adds(&lines, "DOZE_STAND_IN_OLDER=1\n");
	for (size_t i = 0; s->ca && site_ca_variable(i); i++)
		buf_addf(&lines, "%s=" RUNC_CA_PLACE "\n", site_ca_variable(i));
	if (s->ca)
		buf_adds(&lines,
			 "JAVA_TOOL_OPTIONS=-Djavax.net.ssl.trustStore=" JAVA_STORE_PLACE "\n");
	setenv("DOZE_RUN_ENV", buf_str(&lines), 1);
}

/* priv has made the namespaces, so buildah is told that it need not make any. */
int step_setup(struct step *s, struct err *e)
{
	static const char *const dirs[] = { "home", "run", "tmp" };
	static const char *const env[][2] = {
		{ "_CONTAINERS_USERNS_CONFIGURED", "done" },
		{ "_CONTAINERS_ROOTLESS_UID", "1000" },
		{ "_CONTAINERS_ROOTLESS_GID", "1000" },
		{ "LANG", "C.UTF-8" },
		{ "PATH", STEP_PATH },
	};
	static const char *const places[][2] = { { "HOME", "home" },
						 { "XDG_RUNTIME_DIR", "run" },
						 { "TMPDIR", "tmp" },
						 { "CONTAINERS_CONF", "containers.conf" } };
	autobuf struct buf registries = { 0 };
	autofree char *cwd = NULL;

	if (s->dir && chdir(s->dir))
		return err_sys(e, "enter '%s'", s->dir);
	cwd = getcwd(NULL, 0);
	if (!cwd)
		return err_sys(e, "find the build's directory");
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (io_mkdir(3, dirs[i], 0755))
			return err_set(e, ERR_INTERNAL, "make the build's directory '%s'", dirs[i]);
	for (size_t i = 0; i < ARRAY_SIZE(env); i++)
		setenv(env[i][0], env[i][1], 0);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		autofree char *path = xasprintf("%s/%s", cwd, places[i][1]);

		setenv(places[i][0], path, 1);
	}
	if (s->ca)
		setenv("SSL_CERT_FILE", s->ca, 1);
	buf_adds(&registries, "unqualified-search-registries = []\n"
			      "short-name-mode = \"disabled\"\n");
	for (size_t i = 0; i < s->insecure.n; i++)
		buf_addf(&registries, "[[registry]]\nlocation = \"%s\"\ninsecure = true\n",
			 s->insecure.v[i]);
	if (step_write("registries.conf", buf_str(&registries), e))
		return -1;
	if (step_certificates(s, e))
		return -1;
	step_run_env(s);
	setenv("DOZE_RUN_DIR", cwd, 1);
	setenv("DOZE_RUN_STORE", s->store ? s->store : "", 1);
	setenv("DOZE_RUN_LIBEXEC", s->libexec ? s->libexec : "", 1);
	if (s->ca)
		setenv("DOZE_RUN_CA", cwd, 1);
	return step_write("containers.conf",
			  "[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\n"
			  "runtime = \"runc\"\n",
			  e);
}

void step_runtime(const struct step *s, struct step_argv *a, struct step_texts *t)
{
	step_arg(a, "--isolation=oci");
	step_arg(a, "--network=host");
	step_arg(a, "--runtime");
	step_arg(a, t->runtime = xasprintf("%s/doze-build-runtime", s->libexec));
	if (s->ca) {
		step_arg(a, "--volume");
		step_arg(a,
			 t->ca = xasprintf("%s/" RUNC_CA_FILE ":" RUNC_CA_PLACE ":ro,nosuid,nodev",
					   s->dir));
		step_arg(a, "--volume");
		step_arg(a, t->java = xasprintf("%s/cacerts:" JAVA_STORE_PLACE ":ro,nosuid,nodev",
						s->dir));
	}
}

void step_texts_free(struct step_texts *t)
{
	free(t->runtime);
	free(t->ca);
	free(t->java);
}
