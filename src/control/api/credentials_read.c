#include "control/api/credentials_read.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

/* "2026-12-01T12:00:00Z", also with a fraction or another zone. */
static bool credentials_time(const char *text, int64_t *at_ms)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int hours = 0, minutes = 0;
	char sign = '+';

	if (!end || tm.tm_year < 100 || tm.tm_year > 1000)
		return false;
	if (*end == '.')
		for (end++; isdigit((unsigned char)*end); end++)
			;
	if (strcmp(end, "Z") != 0) {
		if ((*end != '+' && *end != '-') || strlen(end) != 6 || end[3] != ':' ||
		    !isdigit((unsigned char)end[1]) || !isdigit((unsigned char)end[2]) ||
		    !isdigit((unsigned char)end[4]) || !isdigit((unsigned char)end[5]))
			return false;
		sign = *end;
		hours = (end[1] - '0') * 10 + end[2] - '0';
		minutes = (end[4] - '0') * 10 + end[5] - '0';
	}
	*at_ms = 1000 *
		 ((int64_t)timegm(&tm) - (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60));
	return *at_ms > 0;
}

/* NULL: it is no text that a client could send. */
static const char *credentials_member(const json_t *all, const char *name)
{
	const char *text = json_string_value(json_object_get(all, name));

	for (const char *at = text; at && *at; at++)
		if (!isgraph((unsigned char)*at))
			return NULL;
	return text && *text ? text : NULL;
}

static int credentials_check(struct credentials_text *c, struct err *e)
{
	const json_t *version = json_object_get(c->all, "Version");
	const json_t *token = json_object_get(c->all, "SessionToken");
	const json_t *expires = json_object_get(c->all, "Expiration");

	if (!json_is_object(c->all))
		return err_set(e, ERR_INVALID, "it is no JSON object");
	if (version && json_integer_value(version) != 1)
		return err_set(e, ERR_INVALID, "its Version is not 1");
	c->key = credentials_member(c->all, "AccessKeyId");
	c->secret = credentials_member(c->all, "SecretAccessKey");
	if (!c->key || !c->secret)
		return err_set(e, ERR_INVALID, "it has no AccessKeyId or no SecretAccessKey");
	c->token = "";
	if (token && !json_is_null(token))
		c->token = credentials_member(c->all, "SessionToken");
	if (!c->token)
		return err_set(e, ERR_INVALID, "its SessionToken is no text");
	if (expires && !json_is_null(expires) &&
	    (!json_is_string(expires) ||
	     !credentials_time(json_string_value(expires), &c->expires_ms)))
		return err_set(e, ERR_INVALID, "its Expiration is no time of ISO 8601");
	return 0;
}

/* What is wrong is said without a word of what was read. */
int credentials_read(const char *text, size_t size, struct credentials_text *c, struct err *e)
{
	*c = (struct credentials_text){ 0 };
	if (size > CREDENTIALS_MOST)
		return err_set(e, ERR_INVALID, "it is longer than %llu bytes", CREDENTIALS_MOST);
	c->all = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	if (credentials_check(c, e)) {
		credentials_text_free(c);
		return -1;
	}
	return 0;
}

void credentials_text_free(struct credentials_text *c)
{
	json_decref(c->all);
	*c = (struct credentials_text){ 0 };
}
