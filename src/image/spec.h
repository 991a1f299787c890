/* spec.h - what control asks for (docs/data-layout.md, "The build spec"), and the configuration
 * that a build finds in the image. Pure. */
#ifndef IMAGE_SPEC_H
#define IMAGE_SPEC_H

#include <jansson.h>

#include "base/err.h"
#include "ipc/build.h"

#define SPEC_MAX (256 * KIB) /* the JSON */

struct spec_hook {
	bool enabled;
	int64_t timeout_ms;
};

struct spec {
	json_t *json; /* the whole document, owned; it owns the texts below */
	const char *bucket, *key, *name, *arn, *region;
	const json_t *environment, *warnings; /* an object of texts, an array of texts; or NULL */
	const char *file_key;                 /* hexadecimal digits; NULL: its files are plain */
	int64_t version, memory_mib, hook_port;
	int64_t rebuild_of; /* the version whose disk is reused; 0: the disk is made from the
			       artifact */
	bool all_capabilities, internet;
	struct spec_hook ready, validate;
};

/* What stands beside a version: its environment is not in it if a key seals that in the store.  The
 * caller's. */
char *spec_text(const struct spec *s);
int spec_read(struct spec *s, const void *data, size_t size, struct err *e) must_check;
void spec_free(struct spec *s);

/* service.md 11: the peak of a memory class; there are no more vCPUs than the host has cores. */
struct spec_shape {
	uint32_t vcpus, memory_mib;
	long disk_gib;
};
struct spec_shape spec_shape(int64_t class_mib, long cores);

/* The image's own configuration as container builders write it (service.md 10.1: the application).
 */
#define APP_MAX 4096 /* words of argv, variables */

struct app {
	char **argv, **env; /* NULL-terminated, owned */
	size_t n_argv, n_env;
	char *user, *workdir; /* NULL: root, / */
	uint16_t ports[BUILD_MAX_PORTS];
	size_t n_ports; /* sorted */
	uint16_t udp_ports[BUILD_MAX_PORTS];
	size_t n_udp_ports; /* sorted */
};

/* @config is .OCIv1.config. It is not trusted: types, sizes and NUL bytes are checked. */
int app_read(struct app *a, const json_t *config, struct err *e) must_check;
/* Adds KEY=value, or replaces the variable of that name. */
void app_setenv(struct app *a, const char *key, const char *value);
void app_default(struct app *a, const char *key, const char *value); /* unless it has a value */
void app_unsetenv(struct app *a, const char *key);
void app_free(struct app *a);
size_t app_bytes(const struct app *a); /* the size of all its texts */

#endif
