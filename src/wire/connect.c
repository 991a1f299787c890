#include "wire/connect.h"

#include <stdio.h>
#include <string.h>

static const char connect_word[] = "CONNECT ", connect_shell_line[] = "SHELL\n";

/* What stands behind the port. */
static const char *const connect_tails[CONNECT_SHELL] = {
	[CONNECT_PLAIN] = "\n",
	[CONNECT_AT_ONCE] = " now\n",
	[CONNECT_DATAGRAMS] = " udp\n",
};

static int connect_tail(const char *text, size_t size, struct connect_ask *ask, size_t *used)
{
	bool may_come = false;

	for (size_t way = 0; way < ARRAY_SIZE(connect_tails); way++) {
		const char *tail = connect_tails[way];
		size_t n = strlen(tail);

		if (size >= n && !memcmp(text, tail, n)) {
			ask->way = (enum connect_way)way;
			*used += n;
			return 1;
		}
		may_come |= size < n && !memcmp(text, tail, size);
	}
	return may_come ? 0 : -1;
}

static int connect_read_shell(const char *text, size_t size, struct connect_ask *ask, size_t *used)
{
	const size_t len = sizeof(connect_shell_line) - 1;

	if (memcmp(text, connect_shell_line, size < len ? size : len) != 0)
		return -1;
	*ask = (struct connect_ask){ .way = CONNECT_SHELL };
	*used = len;
	return size >= len;
}

int connect_read(const void *data, size_t size, struct connect_ask *ask, size_t *used)
{
	const size_t len = sizeof(connect_word) - 1;
	const char *text = data;
	unsigned port = 0;
	int rc;

	if (size && *text == *connect_shell_line)
		return connect_read_shell(text, size, ask, used);
	if (memcmp(text, connect_word, size < len ? size : len) != 0)
		return -1;
	for (*used = len; *used < size && text[*used] >= '0' && text[*used] <= '9'; ++*used) {
		port = port * 10 + (unsigned)(text[*used] - '0');
		if (port > UINT16_MAX)
			return -1;
	}
	if (size <= len || *used == size)
		return size < CONNECT_LINE ? 0 : -1;
	rc = port ? connect_tail(text + *used, size - *used, ask, used) : -1;
	ask->port = (uint16_t)port;
	return rc || size < CONNECT_LINE ? rc : -1;
}

void connect_write(char to[CONNECT_LINE], const struct connect_ask *ask)
{
	if (ask->way == CONNECT_SHELL)
		snprintf(to, CONNECT_LINE, "%s", connect_shell_line);
	else
		snprintf(to, CONNECT_LINE, "%s%u%s", connect_word, (unsigned)ask->port,
			 connect_tails[ask->way]);
}
