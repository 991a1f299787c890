/* Texts of a stranger that handlers take apart themselves: cursors, ARNs, versions. */

#include <stdlib.h>

#include "control/api/page.h"
#include "control/api/resolve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct op op = { .name = "ListMicrovms", .status = 200 };
	static struct principal who = { .account = "000000000000" };
	static struct control ctl = { .token_keys = { .n = 1 } };
	struct call *c = xcalloc(1, sizeof(*c));
	autobuf struct buf text = { 0 };
	json_t *cursor;
	struct page page;
	const char *name;

	buf_add(&text, data, size);
	(void)!arn_managed_image(buf_str(&text), &name);
	(void)!arn_managed_connector(buf_str(&text), &name);
	assert(version_number(buf_str(&text)) >= 0);
	cursor = json_stringn((const char *)data, size);
	c->op = &op;
	c->ctl = &ctl;
	c->who = &who;
	c->in = json_object();
	if (cursor)
		json_object_set_new(c->in, "nextToken", cursor);
	if (page_begin(&page, c)) { /* else it has failed and is freed */
		(void)!page_takes(&page, "microvm-1", 1000);
		(void)!page_takes(&page, "microvm-0", 999);
		page_answer(&page);
	}
	return 0;
}
