/* import.c - a base file system comes as the body of a request.  It is written to an unnamed file
 * off the loop, and the image role gets the descriptor. */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "control/api/call.h"
#include "control/api/handlers/handlers.h"
#include "control/images/bases.h"

struct import {
	struct call *call;
	int fd;
	uv_fs_t write;
	uint8_t piece[LIMIT_HTTP_BUFFER];
	size_t size; /* of the piece being written; 0: none */
	int64_t at;
	bool complete, intact;
};

/* Must be called before the call is answered or fails. */
static void import_free(struct import *i)
{
	i->call->gone = NULL;
	i->call->state = NULL;
	fd_close(&i->fd);
	free(i);
}

static void import_finish(struct import *i)
{
	struct call *c = i->call;
	const char *name = call_text(c, "name");
	int fd = fd_steal(&i->fd);
	bool intact = i->intact;

	import_free(i);
	if (!intact) {
		call_fail_as(c, 403, "InvalidSignatureException",
			     "The body is not the one that was signed.");
	} else if (lseek(fd, 0, SEEK_SET) < 0) {
		call_fail_as(c, 500, "InternalServerException", "The import cannot be read back.");
	} else {
		c->made = json_pack("{s:s}", "name", name);
		bases_import(c->ctl, name, fd, call_done, c);
	}
	fd_close(&fd);
}

static void import_give_up(struct import *i, const char *text)
{
	struct call *c = i->call;

	import_free(i);
	call_fail_as(c, 500, "InternalServerException", text);
}

static void import_write(struct import *i, size_t size);

static void import_written(uv_fs_t *req)
{
	struct import *i = container_of(req, struct import, write);
	size_t done = req->result > 0 ? (size_t)req->result : 0, size = i->size;

	uv_fs_req_cleanup(req);
	i->at += (int64_t)done;
	if (done && done < size) {
		memmove(i->piece, i->piece + done, size - done);
		import_write(i, size - done);
		return;
	}
	i->size = 0;
	if (!done)
		import_give_up(i, "The import cannot be written: is the disk full?");
	else if (!i->call->x)
		import_give_up(i, "The client went away.");
	else if (i->complete)
		import_finish(i);
	else
		http_read_more(i->call->x);
}

static void import_write(struct import *i, size_t size)
{
	uv_buf_t buf = uv_buf_init((char *)i->piece, (unsigned)size);

	i->size = size;
	if (uv_fs_write(&i->call->ctl->loop, &i->write, i->fd, &buf, 1, i->at, import_written))
		abort(); /* only for arguments that are not there */
}

static size_t import_piece(struct call *c, const uint8_t *data, size_t size)
{
	struct import *i = c->state;

	if (i->size)
		return 0;
	if (i->at + (int64_t)size > (int64_t)LIMIT_ZIP_UNPACKED) {
		import_free(i);
		call_fail_as(c, 413, "RequestEntityTooLargeException",
			     "A base file system must be smaller than 4 GiB.");
		return size;
	}
	size = size < sizeof(i->piece) ? size : sizeof(i->piece);
	memcpy(i->piece, data, size);
	import_write(i, size);
	return size;
}

static void import_complete(struct call *c, bool intact)
{
	struct import *i = c->state;

	i->complete = true;
	i->intact = intact;
	if (!i->size)
		import_finish(i);
}

static void import_gone(struct call *c)
{
	struct import *i = c->state;

	if (!i->size) /* else the piece is being written, and import_written gives up */
		import_give_up(i, "The client went away.");
}

void doze_import_base(struct call *c)
{
	struct import *i = xcalloc(1, sizeof(*i));

	i->call = c;
	i->fd = io_open_below(c->ctl->dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	c->state = i;
	if (i->fd < 0) {
		import_give_up(i, "There is no room for the import.");
		return;
	}
	c->piece = import_piece;
	c->complete = import_complete;
	c->gone = import_gone;
}
