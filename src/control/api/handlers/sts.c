/* sts.c - GetCallerIdentity, and nothing else of STS: what `aws sts get-caller-identity` and many
 * scripts ask first.  AWS's query protocol: a form in, XML out. */

#include <stdlib.h>
#include <string.h>

#include "control/api/call.h"
#include "control/api/handlers/handlers.h"
#include "wire/xml.h"

#define STS_NAMESPACE "https://sts.amazonaws.com/doc/2011-06-15/"

static const struct member sts_members[] = { { 0 } };
static op_run sts_run;

const struct op sts_op = {
	.name = "GetCallerIdentity",
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

void sts_fail(struct call *c, unsigned status, const char *code, const char *text)
{
	struct buf xml = { 0 };

	buf_adds(&xml, "<ErrorResponse xmlns=\"" STS_NAMESPACE "\"><Error><Type>");
	buf_addf(&xml, "%s</Type><Code>%s</Code><Message>", status < 500 ? "Sender" : "Receiver",
		 code);
	xml_put_text(&xml, text);
	buf_addf(&xml, "</Message></Error><RequestId>%s</RequestId></ErrorResponse>\n", c->id);
	sts_send(c, status, &xml);
}

/* The value of one name of the form, or of the query; NULL: it is not there. */
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

static void sts_run(struct call *c)
{
	const char *query = strchr(http_request(c->x)->target, '?');
	autofree char *action = sts_field(c->body.size ? buf_str(&c->body)
					  : query      ? query + 1
						       : "",
					  "Action");
	struct buf xml = { 0 };

	if (!action || strcmp(action, "GetCallerIdentity") != 0) {
		sts_fail(c, 400, "InvalidAction",
			 "Of this service only GetCallerIdentity is here.");
		return;
	}
	buf_adds(&xml, "<GetCallerIdentityResponse xmlns=\"" STS_NAMESPACE "\">"
		       "<GetCallerIdentityResult><Arn>");
	xml_put_text(&xml, c->who->arn);
	buf_adds(&xml, "</Arn><UserId>");
	xml_put_text(&xml, c->who->key);
	buf_addf(&xml, "</UserId><Account>%s</Account></GetCallerIdentityResult>", c->who->account);
	buf_addf(&xml,
		 "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata>"
		 "</GetCallerIdentityResponse>\n",
		 c->id);
	sts_send(c, 200, &xml);
}
