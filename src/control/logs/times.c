#include "control/logs/times.h"

#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

static void times_add(struct log_times *t, int64_t at, int64_t ms)
{
	uint64_t record[2] = { htole64((uint64_t)at), htole64((uint64_t)ms) };

	if (io_write_full(t->fd, record, sizeof(record))) {
		fd_close(&t->fd); /* half a record may stand there: the next open cuts it off */
		return;
	}
	t->last_ms = ms;
}

void log_times_open(struct log_times *t, int dir_fd, const char *name, int64_t base, int64_t ms)
{
	struct log_time record;
	size_t n;

	*t = (struct log_times){ .base = base };
	t->fd = io_open_below(dir_fd, name, O_RDWR | O_APPEND | O_CREAT, 0600);
	if (t->fd < 0) {
		t->fd = -1;
		return;
	}
	n = log_times_count(t->fd);
	if (ftruncate(t->fd, (off_t)(n * LOG_TIME_SIZE)))
		fd_close(&t->fd);
	else if (!n)
		times_add(t, base, ms);
	else if (log_times_read(t->fd, n - 1, &record))
		t->last_ms = record.ms;
	if (n && t->fd >= 0 && log_times_read(t->fd, 0, &record))
		t->base = record.at;
}

void log_times_note(struct log_times *t, int64_t at, int64_t ms)
{
	if (t->fd >= 0 && ms > t->last_ms)
		times_add(t, t->base + at, ms);
}

void log_times_close(struct log_times *t)
{
	fd_close(&t->fd);
}

size_t log_times_count(int fd)
{
	struct stat st;

	return fd < 0 || fstat(fd, &st) ? 0 : (size_t)st.st_size / LOG_TIME_SIZE;
}

bool log_times_read(int fd, size_t i, struct log_time *to)
{
	uint64_t record[2];

	if (io_pread_full(fd, record, sizeof(record), (off_t)(i * LOG_TIME_SIZE)))
		return false;
	*to = (struct log_time){ (int64_t)le64toh(record[0]), (int64_t)le64toh(record[1]) };
	return true;
}

static size_t times_search(int fd, bool by_place, int64_t value)
{
	size_t low = 0, high = log_times_count(fd);

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct log_time t;

		if (!log_times_read(fd, middle, &t))
			return low;
		if (by_place ? t.at <= value : t.ms < value)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t log_times_before(int fd, int64_t ms)
{
	return times_search(fd, false, ms);
}

size_t log_times_up_to(int fd, int64_t at)
{
	return times_search(fd, true, at);
}
