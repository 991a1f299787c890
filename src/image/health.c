#include "image/health.h"

#include <stdlib.h>
#include <string.h>

#define HEALTH_WORDS   256
#define HEALTH_NS      1000000 /* of a millisecond */
#define HEALTH_MOST_MS (24 * 3600 * 1000)
#define HEALTH_REST_MS 1000
#define HEALTH_SHARE   4 /* looks take at most a part of the time in which the guest works */

/* Docker's own. */
#define HEALTH_INTERVAL_MS 30000
#define HEALTH_TIMEOUT_MS  30000
#define HEALTH_START_MS    5000 /* between looks in the start period */
#define HEALTH_RETRIES     3

static int health_add(struct health_check *c, const json_t *text, struct err *e)
{
	const char *value = json_string_value(text);

	if (!value || strlen(value) != json_string_length(text) || c->n_argv == HEALTH_WORDS)
		return err_set(e, ERR_INVALID, "the image's HEALTHCHECK is malformed");
	c->argv = xrealloc(c->argv, (c->n_argv + 2) * sizeof(*c->argv));
	c->argv[c->n_argv++] = xstrdup(value);
	c->argv[c->n_argv] = NULL;
	return 0;
}

static int health_add_shell(struct health_check *c, const json_t *shell, struct err *e)
{
	static const char *const usual[] = { "/bin/sh", "-c" };
	int rc = 0;

	for (size_t i = 0; !rc && i < json_array_size(shell); i++)
		rc = health_add(c, json_array_get(shell, i), e);
	for (size_t i = 0; !rc && !json_array_size(shell) && i < ARRAY_SIZE(usual); i++) {
		json_t *word = json_string(usual[i]);

		rc = health_add(c, word, e);
		json_decref(word);
	}
	return rc;
}

/* ["NONE"], ["CMD", word...] or ["CMD-SHELL", line]; none of it means what a base image says, which
 * the builder has already put here. */
static int health_test(struct health_check *c, const json_t *test, const json_t *shell,
		       struct err *e)
{
	const char *kind = json_string_value(json_array_get(test, 0));
	int rc = 0;

	if (!kind || !strcmp(kind, "NONE"))
		return 0;
	if (!strcmp(kind, "CMD-SHELL"))
		rc = health_add_shell(c, shell, e);
	else if (strcmp(kind, "CMD") != 0)
		return err_set(e, ERR_INVALID, "the image's HEALTHCHECK is malformed");
	for (size_t i = 1; !rc && i < json_array_size(test); i++)
		rc = health_add(c, json_array_get(test, i), e);
	return rc;
}

/* Nanoseconds; 0 or none means the default. */
static int64_t health_ms(const json_t *check, const char *name, int64_t fallback)
{
	json_int_t ms = json_integer_value(json_object_get(check, name)) / HEALTH_NS;

	return ms <= 0 ? fallback : ms < HEALTH_MOST_MS ? ms : HEALTH_MOST_MS;
}

int health_read(struct health_check *c, const json_t *config, struct err *e)
{
	const json_t *check = json_object_get(config, "Healthcheck");
	json_int_t retries = json_integer_value(json_object_get(check, "Retries"));

	*c = (struct health_check){
		.interval_ms = health_ms(check, "Interval", HEALTH_INTERVAL_MS),
		.timeout_ms = health_ms(check, "Timeout", HEALTH_TIMEOUT_MS),
		.start_ms = health_ms(check, "StartPeriod", 0),
		.start_interval_ms = health_ms(check, "StartInterval", HEALTH_START_MS),
		.retries = retries > 0 ? retries : HEALTH_RETRIES,
	};
	if (!health_test(c, json_object_get(check, "Test"), json_object_get(config, "Shell"), e))
		return 0;
	health_free(c);
	return -1;
}

void health_free(struct health_check *c)
{
	for (size_t i = 0; i < c->n_argv; i++)
		free(c->argv[i]);
	free(c->argv);
	*c = (struct health_check){ 0 };
}

bool health_failed(struct health *h, const struct health_check *c, int64_t now_ms)
{
	if (now_ms > c->start_ms && now_ms - h->counted_ms >= c->interval_ms) {
		h->counted_ms = now_ms;
		h->failures++;
	}
	return h->failures >= c->retries;
}

int64_t health_pause_ms(const struct health_check *c, int64_t took_ms, bool rests)
{
	int64_t most = rests ? HEALTH_REST_MS : c->start_interval_ms;
	int64_t pause = c->interval_ms < most ? c->interval_ms : most;

	took_ms *= HEALTH_SHARE - 1;
	return rests || pause > took_ms ? pause : took_ms;
}
