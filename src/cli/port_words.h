/* port_words.h - a port as it is typed: "6379", "6379/tcp", "514/udp"; and with a local one:
 * "6379:16379". */
#ifndef CLI_PORT_WORDS_H
#define CLI_PORT_WORDS_H

#include "base/err.h"

struct port_words {
	uint16_t port;
	uint16_t local; /* as `port` where none is given */
	bool datagrams;
};

int port_words_read(const char *text, struct port_words *to, struct err *e) must_check;
/* PORT[:LOCAL]; LOCAL 0 is any free port. */
int port_words_read_pair(const char *text, struct port_words *to, struct err *e) must_check;

struct port_range {
	uint16_t first, last;
};

#define PORT_RANGES 32 /* in one token */

/* "5432,8000-8010".  *n gets how many there are; "all" is none. */
int port_words_read_ranges(const char *text, struct port_range ranges[PORT_RANGES], size_t *n,
			   struct err *e) must_check;

/* "127.0.0.1:20000  ->  microvm-...  6379/tcp", as publish and forward say what they opened. */
void port_words_print(const char *address, uint16_t port, const char *id,
		      const struct port_words *to);

#endif
