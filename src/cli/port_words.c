#include "cli/port_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The number at the start of *text, which moves behind it. */
static bool port_words_number(const char **text, unsigned low, uint16_t *port)
{
	size_t n = strspn(*text, "0123456789");
	unsigned long value = n && n <= 5 ? strtoul(*text, NULL, 10) : UINT16_MAX + 1UL;

	*text += n;
	*port = (uint16_t)value;
	return value >= low && value <= UINT16_MAX;
}

int port_words_read(const char *text, struct port_words *to, struct err *e)
{
	const char *at = text;

	*to = (struct port_words){ 0 };
	if (port_words_number(&at, 1, &to->port)) {
		to->local = to->port;
		to->datagrams = !strcmp(at, "/udp");
		if (!*at || !strcmp(at, "/tcp") || to->datagrams)
			return 0;
	}
	return err_set(e, ERR_INVALID,
		       "'%s' is no port: give a number from 1 to 65535, with /tcp or /udp", text);
}

int port_words_read_pair(const char *text, struct port_words *to, struct err *e)
{
	const char *at = text;

	*to = (struct port_words){ 0 };
	if (port_words_number(&at, 1, &to->port)) {
		to->local = to->port;
		if (!*at)
			return 0;
		if (*at++ == ':' && port_words_number(&at, 0, &to->local) && !*at)
			return 0;
	}
	return err_set(e, ERR_INVALID,
		       "'%s' is no PORT[:LOCAL]: both are numbers up to 65535, such as 6379:16379",
		       text);
}

int port_words_read_ranges(const char *text, struct port_range ranges[PORT_RANGES], size_t *n,
			   struct err *e)
{
	const char *at = text;

	*n = 0;
	if (!strcmp(text, "all"))
		return 0;
	for (;; at++) {
		struct port_range *r = &ranges[*n];

		if (*n == PORT_RANGES || !port_words_number(&at, 1, &r->first))
			break;
		r->last = r->first;
		if (*at == '-') {
			at++;
			if (!port_words_number(&at, r->first, &r->last))
				break;
		}
		++*n;
		if (!*at)
			return 0;
		if (*at != ',')
			break;
	}
	return err_set(
		e, ERR_INVALID,
		"'%s' are no ports: give up to %d numbers or ranges, such as 5432,8000-8010, "
		"or all",
		text, PORT_RANGES);
}

void port_words_print(const char *address, uint16_t port, const char *id,
		      const struct port_words *to)
{
	printf(strchr(address, ':') ? "[%s]:%u  ->  %s  %u/%s\n" : "%s:%u  ->  %s  %u/%s\n",
	       address, port, id, to->port, to->datagrams ? "udp" : "tcp");
	fflush(stdout);
}
