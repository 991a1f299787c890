/* sts.c - STS: who asks, and keys for a while.  `aws sts get-caller-identity` is what many scripts
 * ask first. */

#include <stdlib.h>
#include <string.h>

#include "control/api/handlers/handlers.h"
#include "control/api/handlers/sts.h"
#include "wire/xml.h"

static const struct member sts_members[] = { { 0 } };
static op_run sts_run;

const struct op sts_op = {
	.name = "STS",
	.method = "POST",
	.path = "/",
	.status = 200,
	.members = sts_members,
	.run = sts_run,
};

static void sts_send(struct call *c, unsigned status, struct buf *xml)
{
	static const struct http_header type = { "content-type", "text/xml" };

	call_answer_bytes(c, status, &type, 1, xml->data, xml->size);
	buf_free(xml);
}

void sts_put(struct buf *to, const char *name, const char *text)
{
	buf_addf(to, "<%s>", name);
	xml_put_text(to, text);
	buf_addf(to, "</%s>", name);
}

void sts_fail(struct call *c, unsigned status, const char *code, const char *text)
{
	struct buf xml = { 0 };

	c->end = (struct call_end){ .status = status, .type = code, .text = text };
	buf_adds(&xml, "<ErrorResponse xmlns=\"" STS_NAMESPACE "\"><Error>");
	sts_put(&xml, "Type", status < 500 ? "Sender" : "Receiver");
	sts_put(&xml, "Code", code);
	sts_put(&xml, "Message", text);
	buf_addf(&xml, "</Error><RequestId>%s</RequestId></ErrorResponse>\n", c->id);
	sts_send(c, status, &xml);
}

void sts_answer(struct call *c, const char *action, struct buf *result)
{
	struct buf xml = { .secret = true };

	buf_addf(&xml, "<%sResponse xmlns=\"" STS_NAMESPACE "\"><%sResult>", action, action);
	buf_add(&xml, result->data, result->size);
	buf_addf(&xml,
		 "</%sResult><ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata>"
		 "</%sResponse>\n",
		 action, c->id, action);
	buf_free(result);
	sts_send(c, 200, &xml);
}

static char *sts_field(const char *form, const char *name)
{
	size_t length = strlen(name);

	while (*form) {
		size_t size = strcspn(form, "&");

		if (size > length && !memcmp(form, name, length) && form[length] == '=')
			return op_unescape(form + length + 1, size - length - 1, true);
		form += size + (form[size] == '&');
	}
	return NULL;
}

char *sts_text(struct call *c, const char *name)
{
	const char *query = strchr(http_request(c->x)->target, '?');

	return sts_field(c->body.size ? buf_str(&c->body) : query ? query + 1 : "", name);
}

static void sts_get_caller_identity(struct call *c)
{
	struct buf result = { 0 };

	sts_put(&result, "Arn", c->who->arn);
	sts_put(&result, "UserId", c->who->key);
	sts_put(&result, "Account", c->who->account);
	sts_answer(c, "GetCallerIdentity", &result);
}

static const struct {
	const char *action;
	void (*run)(struct call *c);
} sts_actions[] = {
	{ "GetCallerIdentity", sts_get_caller_identity },
	{ "GetSessionToken", sts_get_session_token },
	{ "AssumeRole", sts_assume_role },
};

static void sts_run(struct call *c)
{
	autofree char *action = sts_text(c, "Action");

	for (size_t i = 0; action && i < ARRAY_SIZE(sts_actions); i++)
		if (!strcmp(sts_actions[i].action, action)) {
			c->action = sts_actions[i].action;
			sts_actions[i].run(c);
			return;
		}
	sts_fail(c, 400, "InvalidAction",
		 "Of this service GetCallerIdentity, GetSessionToken and AssumeRole are here.");
}
