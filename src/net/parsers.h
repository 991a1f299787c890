/* parsers.h - parsers of HTTP/1.1 for the connections of one loop.  An idle connection has none, so
 * they come and go with each message; the last that were given back are kept, with the room that
 * their heads had. */
#ifndef NET_PARSERS_H
#define NET_PARSERS_H

#include "wire/http1.h"

struct http1 *parser_take(bool requests); /* as http1_new */
void parser_give(struct http1 *p);        /* instead of http1_free; NULL is ignored */

#endif
