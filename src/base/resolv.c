#include "base/resolv.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

#define RESOLV_MAX (64 * KIB)

/* In the second file systemd-resolved lists the resolvers that its stub asks. */
static const char *const resolv_files[] = { "/etc/resolv.conf",
					    "/run/systemd/resolve/resolv.conf" };

static uint32_t resolv_usable(const char *address)
{
	struct in_addr in;
	uint32_t ip;

	if (inet_pton(AF_INET, address, &in) != 1)
		return 0;
	ip = ntohl(in.s_addr);
	return ip >> 24 == 127 || ip >> 24 == 0 || ip >> 28 >= 14 ? 0 : ip;
}

uint32_t resolv_parse(const char *text)
{
	autofree char *copy = xstrdup(text);
	char *lines = copy, *line;
	uint32_t ip = 0;

	while (!ip && (line = strsep(&lines, "\n"))) {
		char *word = strtok_r(line, " \t\r", &line);

		if (!word || strcmp(word, "nameserver") != 0)
			continue;
		word = strtok_r(NULL, " \t\r", &line);
		if (word)
			ip = resolv_usable(word);
	}
	return ip;
}

uint32_t resolv_read(const char *configured, bool *behind_stub)
{
	uint32_t ip = 0;

	if (behind_stub)
		*behind_stub = false;
	if (*configured)
		return resolv_usable(configured);
	for (size_t i = 0; i < ARRAY_SIZE(resolv_files) && !ip; i++) {
		autoclose int fd = open(resolv_files[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		autobuf struct buf text = { 0 };

		if (fd >= 0 && !io_read_all(fd, &text, RESOLV_MAX))
			ip = resolv_parse(buf_str(&text));
		if (behind_stub)
			*behind_stub = ip && i > 0;
	}
	return ip;
}
