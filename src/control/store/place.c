#include "control/store/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

#define PLACE_URL_MOST 4096
#define PLACE_ID       "store-id"
#define PLACE_DRAFT    "store-id.new"

static int place_read(int dir, const char *name, char id[UUID_SIZE], struct err *e)
{
	autoclose int fd = io_open_below(dir, name, O_RDONLY, 0);
	autobuf struct buf text = { 0 };

	*id = '\0';
	if (fd == -ENOENT)
		return 0;
	if (fd < 0 || io_read_all(fd, &text, 64))
		return err_set(e, ERR_INTERNAL, "control/%s cannot be read", name);
	snprintf(id, UUID_SIZE, "%s", buf_str(&text));
	return uuid_valid(id) ? 0 : err_set(e, ERR_INVALID, "control/%s is damaged", name);
}

int place_read_id(int dir, char id[UUID_SIZE], struct err *e)
{
	return place_read(dir, PLACE_ID, id, e);
}

int place_draft_id(int dir, const char *id, struct err *e)
{
	autofree char *text = xasprintf("%s\n", id);

	return io_replace(dir, PLACE_DRAFT, text, strlen(text), 0600, e);
}

int place_take_draft(int dir, const char *id, struct err *e)
{
	char draft[UUID_SIZE];

	if (place_read(dir, PLACE_DRAFT, draft, e))
		return -1;
	if (strcmp(draft, id) != 0)
		return err_set(e, ERR_INVALID, "control/" PLACE_DRAFT " has another name");
	return renameat(dir, PLACE_DRAFT, dir, PLACE_ID) || fsync(dir)
		       ? err_sys(e, "rename control/" PLACE_DRAFT)
		       : 0;
}

bool place_has_file(int dir)
{
	struct stat st;

	return !fstatat(dir, "doze.db", &st, AT_SYMLINK_NOFOLLOW);
}

int place_read_url(const char *url, const char *file, struct buf *to, struct err *e)
{
	autoclose int fd = -1;
	struct stat st;

	if (!*file) {
		buf_adds(to, url);
		return 0;
	}
	if (*url)
		return err_set(e, ERR_INVALID,
			       "[store] url and url_file are both set: remove one of them");
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st))
		return err_sys(e, "read [store] url_file '%s' as the user of control", file);
	if (st.st_mode & 077)
		return err_set(e, ERR_DENIED,
			       "[store] url_file '%s' can be read by others: 'chmod 600' it", file);
	if (io_read_all(fd, to, PLACE_URL_MOST))
		return err_set(e, ERR_INVALID, "[store] url_file '%s' is too long", file);
	to->size = strcspn(buf_str(to), "\r\n");
	if (!to->size)
		return err_set(e, ERR_INVALID, "[store] url_file '%s' is empty", file);
	return 0;
}
