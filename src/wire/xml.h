/* xml.h - text inside an XML document of ours. */
#ifndef WIRE_XML_H
#define WIRE_XML_H

#include "base/buf.h"

/* Append @text with markup and control characters escaped. */
void xml_put_text(struct buf *b, const char *text);

#endif
