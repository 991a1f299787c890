/* hex.h - bytes as hexadecimal digits, and as the "%XX" of a URL (RFC 3986). */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/buf.h"

int hex_digit(char c); /* its value, or -1 */

/* Write 2 * @size lower-case digits and a NUL to @to. */
void hex_encode(const void *data, size_t size, char *to);

/* Read exactly 2 * @size digits of either case.  False if @text is anything else. */
bool hex_decode(const char *text, void *to, size_t size) must_check;

/* The byte of a "%XX" at the begin of @text, or -1. */
int percent_byte(const char *text, size_t size);

/* Decode @text and end it with a NUL.  @to may be @text itself.  With @plus a '+' is a blank, as in
 * a query.  False if an escape is broken, a byte is NUL, or @room is too small. */
bool percent_decode(const char *text, size_t size, bool plus, char *to, size_t room) must_check;

/* Append @text with all escaped but letters, digits, "-._~" and the characters of @plain. */
void percent_encode(struct buf *to, const char *text, const char *plain);

#endif
