/* What a build step says of an image, and a build spec: JSON that nobody vouches for. */

#include <string.h>

#include "image/health.h"
#include "image/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *config = json_loadb((const char *)data, size, 0, NULL);
	struct health_check check;
	struct spec s;
	struct app a;
	struct err e;

	if (!app_read(&a, config, &e)) {
		app_setenv(&a, "AWS_REGION", "us-east-1");
		app_unsetenv(&a, "PATH");
		app_free(&a);
	}
	if (!health_read(&check, config, &e))
		health_free(&check);
	json_decref(config);
	if (!spec_read(&s, data, size, &e))
		spec_free(&s);
	return 0;
}
