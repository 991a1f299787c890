/* http1_head.h - the head of a message, once all its bytes are there: inside wire/http1 alone.
 *
 * Works on the head's own memory: names become lower case, separators become NULs. */
#ifndef WIRE_HTTP1_HEAD_H
#define WIRE_HTTP1_HEAD_H

#include "wire/http1.h"

/* h->text holds a whole head, its last four bytes CR LF CR LF and every CR and LF of it in such
 * pairs, and no NUL.  Fills *h.  0, or the status to answer and *why. */
unsigned http1_head_parse(struct http_head *h, bool request, const char **why) must_check;

bool http1_is_token(const char *text, size_t size);
bool http1_is_value(const char *text); /* what may stand behind the colon */

#endif
