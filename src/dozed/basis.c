#include "dozed/basis.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/steady.h"

#define BASIS_FILE "clock" /* "<boot id> <milliseconds>\n" */
#define BASIS_MOST 128

/* False: there is none of this boot. */
static bool basis_read(int run_fd, const char *boot_id, int64_t *basis_ms)
{
	autoclose int fd = openat(run_fd, BASIS_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	autobuf struct buf text = { 0 };
	size_t id = strlen(boot_id);
	const char *number;
	char *end;

	if (fd < 0 || io_read_all(fd, &text, BASIS_MOST))
		return false;
	number = buf_str(&text);
	if (strncmp(number, boot_id, id) != 0 || number[id] != ' ')
		return false;
	number += id + 1;
	*basis_ms = strtoll(number, &end, 10);
	return end != number && *end == '\n';
}

int basis_open(const char *run_dir, const char *boot_id, struct err *e)
{
	autoclose int run_fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autofree char *text = NULL;
	int64_t basis_ms;

	if (run_fd < 0)
		return err_sys(e, "open '%s'", run_dir);
	if (basis_read(run_fd, boot_id, &basis_ms)) {
		steady_set_basis(basis_ms);
		return 0;
	}
	text = xasprintf("%s %lld\n", boot_id, (long long)steady_basis());
	return io_replace(run_fd, BASIS_FILE, text, strlen(text), 0644, e);
}
