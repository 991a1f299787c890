#include "dozed/logged.h"

#include <string.h>
#include <unistd.h>

#include "base/io.h"

#define LOGGED_MAX (1 * MIB)

char *logged_error(int fd, off_t from)
{
	static const char level[] = " error "; /* "TIME error PROCESS TEXT" (base/log) */
	autobuf struct buf text = { 0 };
	char *save = NULL;

	if (lseek(fd, from, SEEK_SET) < 0)
		return NULL;
	(void)!io_read_all(fd, &text, LOGGED_MAX); /* the beginning is enough */
	buf_str(&text);
	for (char *line = strtok_r((char *)text.data, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *after = strchr(line, ' ');

		if (!after || strncmp(after, level, sizeof(level) - 1) != 0)
			continue;
		after = strchr(after + sizeof(level) - 1, ' ');
		if (after && after[1])
			return xstrdup(after + 1);
	}
	return NULL;
}
