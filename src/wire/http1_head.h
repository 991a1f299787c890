/* http1_head.h - parses the head of a message once it is complete; private to wire/.
 *
 * It works in the head's own memory: names become lower case, separators become NULs. Responses
 * may be odd (http1.h). */
#ifndef WIRE_HTTP1_HEAD_H
#define WIRE_HTTP1_HEAD_H

#include "wire/http_head.h"

/* h->text must hold a whole head that ends in CR LF CR LF, with CR and LF only in pairs, and no
 * NUL. Fills *h.  Returns 0, or the status to answer with the reason in *why. */
unsigned http1_head_parse(struct http_head *h, bool request, const char **why) must_check;

bool http1_is_token(const char *text, size_t size);
/* Accepts host[:port] or [v6][:port], and nothing that a later reader could take for another host.
 */
bool http1_is_authority(const char *text, size_t size);
/* The number of @size digits, of which 18 always fit an int64_t; -1: it is none. */
int64_t http1_number(const char *text, size_t size);
bool http1_is_value(const char *text, size_t size); /* may this text follow the colon? */

#endif
