#include "wire/xml.h"

#include <string.h>

void xml_put_text(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			buf_adds(b, "&lt;");
		else if (*text == '>')
			buf_adds(b, "&gt;");
		else if (*text == '&')
			buf_adds(b, "&amp;");
		else if (*text == '"')
			buf_adds(b, "&quot;");
		else if ((uint8_t)*text < 0x20)
			buf_addf(b, "&#x%x;", (unsigned)*text);
		else
			buf_add(b, text, 1);
	}
}
