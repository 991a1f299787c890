#include "control/ground.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"

#define GROUND_LOG_BYTES (5 * MIB)

static int ground_dir(const char *path, int *fd, struct err *e)
{
	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *fd < 0 ? err_sys(e, "open '%s'", path) : 0;
}

int ground_open_dirs(struct control *ctl, struct err *e)
{
	const struct conf *conf = ctl->conf;
	autofree char *own = xasprintf("%s/control", conf->data_dir);

	return ground_dir(conf->data_dir, &ctl->data_fd, e) || ground_dir(own, &ctl->dir_fd, e) ||
			       ground_dir(conf->run_dir, &ctl->run_fd, e) ||
			       ground_dir(conf->log_dir, &ctl->log_fd, e)
		       ? -1
		       : 0;
}

static void ground_store_ready(uv_poll_t *poll, int status, int events)
{
	struct control *ctl = poll->loop->data;

	(void)status;
	(void)events;
	store_dispatch(ctl->store);
}

/* SQLite's log gets its room in advance, as far as it grows before it is copied back (1000 pages).
 * So what happens while the disk is full gets to disk too, such as that a save has failed. */
static void ground_reserve(int dir_fd)
{
	autoclose int fd = openat(dir_fd, "doze.db-wal", O_WRONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, GROUND_LOG_BYTES))
		log_debug("the store's log has no room in advance: %s", strerrordesc_np(errno));
}

int ground_open_store(struct control *ctl, uv_poll_t *poll, struct err *e)
{
	autobuf struct buf url = { .secret = true };
	struct store_place where = { .dir = ctl->dir_fd, .account = ctl->conf->account };

	if (place_read_url(ctl->conf->store_url, ctl->conf->store_url_file, &url, e))
		return -1;
	where.url = buf_str(&url);
	ctl->store = store_open(&where, e);
	if (!ctl->store)
		return -1;
	ground_reserve(ctl->dir_fd);
	if (uv_poll_init(&ctl->loop, poll, store_wake_fd(ctl->store)))
		return err_set(e, ERR_INTERNAL, "watch the store");
	uv_poll_start(poll, UV_READABLE, ground_store_ready);
	return 0;
}
