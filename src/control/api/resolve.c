/* resolve.c - what identifiers name, and the service's sentences when they name nothing
 * (service.md 2.4, 2.11, 9.5). */

#include <stdlib.h>
#include <string.h>

#include "control/api/resolve.h"
#include "control/images/builds.h"

enum { ARN_PREFIX, ARN_PARTITION, ARN_SERVICE, ARN_REGION, ARN_ACCOUNT, ARN_TYPE, ARN_NAME, ARN_N };

/* The last field holds the rest of the text, colons included. */
static size_t arn_split(const char *arn, struct arn_field fields[ARN_N])
{
	size_t n = 0;

	while (n < ARN_N) {
		size_t size = n == ARN_N - 1 ? strlen(arn) : strcspn(arn, ":");

		fields[n++] = (struct arn_field){ arn, size };
		if (!arn[size])
			break;
		arn += size + 1;
	}
	return n;
}

static bool field_is(const struct arn_field *f, const char *word)
{
	return strlen(word) == f->size && !memcmp(f->at, word, f->size);
}

static bool field_begins(const struct arn_field *f, const char *word)
{
	return f->size >= strlen(word) && !memcmp(f->at, word, strlen(word));
}

bool arn_is_incomplete(const char *arn)
{
	struct arn_field f[ARN_N];
	size_t n = arn_split(arn, f);

	return n == ARN_TYPE + 1 ||
	       (n == ARN_N && memchr(f[ARN_TYPE].at, '/', f[ARN_TYPE].size + 1 + f[ARN_NAME].size));
}

bool arn_managed_image(const char *arn, const char **name)
{
	struct arn_field f[ARN_N];

	if (arn_split(arn, f) != ARN_N || !field_is(&f[ARN_PREFIX], "arn") ||
	    !field_is(&f[ARN_PARTITION], "aws") || !field_is(&f[ARN_SERVICE], "lambda") ||
	    !field_is(&f[ARN_ACCOUNT], "aws") || !field_is(&f[ARN_TYPE], "microvm-image"))
		return false;
	*name = f[ARN_NAME].at;
	return true;
}

bool arn_is_connector(const char *arn)
{
	struct arn_field f[ARN_N];

	return arn_split(arn, f) == ARN_N && field_is(&f[ARN_TYPE], "network-connector");
}

bool arn_managed_connector(const char *arn, const char **name)
{
	static const char prefix[] = "aws-network-connector:";
	struct arn_field f[ARN_N];

	if (arn_split(arn, f) != ARN_N || !field_is(&f[ARN_PREFIX], "arn") ||
	    !field_is(&f[ARN_PARTITION], "aws") || !field_is(&f[ARN_SERVICE], "lambda") ||
	    !field_is(&f[ARN_TYPE], "network-connector"))
		return false;
	*name = field_is(&f[ARN_ACCOUNT], "aws") && field_begins(&f[ARN_NAME], prefix)
			? f[ARN_NAME].at + strlen(prefix)
			: NULL;
	return true;
}

/* The name in the ARN of an image of this account; NULL if it is none. */
static const char *resolve_image_name(const struct control *ctl, const char *account,
				      const char *arn)
{
	struct arn_field f[ARN_N];

	if (arn_split(arn, f) != ARN_N || !field_is(&f[ARN_PREFIX], "arn") ||
	    !field_is(&f[ARN_PARTITION], "aws") || !field_is(&f[ARN_SERVICE], "lambda") ||
	    !field_is(&f[ARN_TYPE], "microvm-image") ||
	    !field_is(&f[ARN_REGION], ctl->conf->region) || !field_is(&f[ARN_ACCOUNT], account))
		return NULL;
	return f[ARN_NAME].at;
}

struct image *find_image(struct control *ctl, const char *account, const char *arn)
{
	const char *name = resolve_image_name(ctl, account, arn);

	return name ? model_image_by_name(ctl, account, name) : NULL;
}

bool image_is_gone(struct control *ctl, const char *account, const char *arn)
{
	return resolve_image_name(ctl, account, arn) && !find_image(ctl, account, arn);
}

struct image *find_image_any(struct control *ctl, const char *account, const char *text)
{
	struct image *image = model_image_by_id(ctl, text);

	if (image && strcmp(image->account, account) != 0)
		return NULL;
	if (!image)
		image = model_image_by_name(ctl, account, text);
	return image ? image : find_image(ctl, account, text);
}

struct microvm *find_microvm(struct control *ctl, const char *account, const char *id)
{
	struct microvm *vm = model_microvm(ctl, id);

	return vm && !strcmp(vm->account, account) ? vm : NULL;
}

struct build *find_build(struct control *ctl, const char *account, const char *id)
{
	struct build *b = builds_find(ctl, id);

	return b && !strcmp(b->version->image->account, account) ? b : NULL;
}

struct image *call_image(struct call *c, const char *member)
{
	const char *arn = call_text(c, member);
	struct arn_field f[ARN_N];
	size_t n = arn_split(arn, f);
	struct image *image;

	if (!field_is(&f[ARN_PREFIX], "arn") || n < ARN_TYPE + 1) {
		call_invalid(c, "Invalid ARN format: %s", arn);
		return NULL;
	}
	image = find_image(c->ctl, c->who->account, arn);
	if (!image)
		call_not_found(c, "MicroVMImage not found for MicroVMImageID: %s", arn);
	return image;
}

int64_t version_number(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || digits > 9 || (text[digits] && strcmp(text + digits, ".0") != 0))
		return 0;
	return strtoll(text, NULL, 10);
}

struct image_version *call_version(struct call *c)
{
	const char *arn = call_text(c, "imageIdentifier");
	const char *number = call_text(c, "imageVersion");
	struct image *image = find_image(c->ctl, c->who->account, arn);
	struct image_version *v = image ? model_version(image, version_number(number)) : NULL;

	if (!v && (image || !strncmp(arn, "arn:", 4)))
		call_not_found(c, "MicroVMImage not found for MicroVMImage: %s, Version: %s", arn,
			       number);
	else if (!v)
		call_invalid(c, "Invalid ARN format: %s", arn);
	return v;
}

struct microvm *call_microvm(struct call *c)
{
	const char *id = call_text(c, "microvmIdentifier");
	struct microvm *vm = find_microvm(c->ctl, c->who->account, id);

	if (!vm)
		call_not_found(c, "MicroVM not found: %s", id);
	return vm;
}

struct connector *find_connector(const struct control *ctl, const char *account, const char *text,
				 struct connector_version **v)
{
	struct connector *connector;
	struct arn_field f[ARN_N];

	*v = NULL;
	if (!strncmp(text, "arn:", 4)) {
		connector = model_connector_of_arn(ctl, account, text, v);
		if (connector && arn_split(text, f) == ARN_N && !strchr(f[ARN_NAME].at, ':'))
			*v = NULL;
		return connector;
	}
	connector = model_connector_by_id(ctl, text);
	if (connector && !strcmp(connector->account, account))
		return connector;
	return model_connector_by_name(ctl, account, text);
}

struct connector *call_connector(struct call *c, const char *member, struct connector_version **v)
{
	const char *text = call_text(c, member);
	struct connector *connector = find_connector(c->ctl, c->who->account, text, v);

	if (connector)
		return connector;
	if (!strncmp(text, "arn:", 4))
		call_not_found(c, "Network connector not found for: %s", text);
	else
		call_not_found(c,
			       "Network connector not found for: arn:aws:lambda:%s:%s:"
			       "network-connector:%s",
			       c->ctl->conf->region, c->who->account, text);
	return NULL;
}

char *call_log_group_name(const struct call *c)
{
	const char *name = call_text(c, "logGroupName"), *text = call_text(c, "logGroupIdentifier");
	autofree char *ours =
		xasprintf("arn:aws:logs:%s:%s:log-group:", c->ctl->conf->region, c->who->account);
	size_t size;

	if (name)
		return xstrdup(name);
	if (!text || strncmp(text, "arn:", 4) != 0)
		return text ? xstrdup(text) : NULL;
	if (strncmp(text, ours, strlen(ours)) != 0)
		return NULL;
	text += strlen(ours);
	size = strcspn(text, ":");
	return size && (!text[size] || !strcmp(text + size, ":*"))
		       ? xasprintf("%.*s", (int)size, text)
		       : NULL;
}

struct log_group *call_log_group(struct call *c)
{
	bool by_name = call_text(c, "logGroupName"), by_id = call_text(c, "logGroupIdentifier");
	autofree char *name = call_log_group_name(c);
	struct log_group *g = name ? log_group_find(c->ctl, c->who->account, name) : NULL;

	if (by_name == by_id)
		call_invalid(c,
			     "Exactly one of logGroupName and logGroupIdentifier must be given.");
	else if (!g || !g->created_ms)
		call_not_found(c, "The specified log group does not exist.");
	else
		return g;
	return NULL;
}

struct account *call_account(struct call *c)
{
	const char *id = call_text(c, "account");
	struct account *a;

	if (!id || !strcmp(id, c->who->account))
		return account_of(c->ctl, c->who->account);
	if (!c->who->root) {
		call_fail_as(c, 403, "AccessDeniedException",
			     "Another account is for the key pairs of the server's credentials "
			     "file.");
		return NULL;
	}
	a = account_find(c->ctl, id);
	if (a && account_is_open(c->ctl, a))
		return a;
	call_not_found(c, "There is no account %s.", id);
	return NULL;
}
