#include "control/events/segments.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

#define SEGMENT_NAME   "%012llu.jsonl"
#define SEGMENT_DIGITS 12
#define SEGMENT_PIECE  65536

static bool segment_parse(const char *name, uint64_t *segment)
{
	char *end;

	if (strspn(name, "0123456789") != SEGMENT_DIGITS)
		return false;
	*segment = strtoull(name, &end, 10);
	return *segment && !strcmp(end, ".jsonl");
}

static void segment_name(uint64_t segment, char name[32])
{
	snprintf(name, 32, SEGMENT_NAME, (unsigned long long)segment);
}

static int segment_open(int dir_fd, uint64_t segment, int flags)
{
	char name[32];
	int fd;

	segment_name(segment, name);
	fd = openat(dir_fd, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : fd;
}

int segment_make(int dir_fd, uint64_t segment)
{
	/* One of this name was made before the last end, and nothing was written into it. */
	return segment_open(dir_fd, segment, O_RDWR | O_CREAT);
}

/* The least from @from on, and the greatest.  False: there is none. */
static bool segments_find(int dir_fd, uint64_t from, uint64_t *least, uint64_t *greatest)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	uint64_t segment;
	bool found = false;

	if (!dir) {
		fd_close(&fd);
		return false;
	}
	while ((entry = readdir(dir))) {
		if (!segment_parse(entry->d_name, &segment) || segment < from)
			continue;
		if (!found || segment < *least)
			*least = segment;
		if (!found || segment > *greatest)
			*greatest = segment;
		found = true;
	}
	closedir(dir);
	return found;
}

void segments_remove(int dir_fd, int64_t last)
{
	uint64_t least, greatest;
	char name[32];

	while (segments_find(dir_fd, 1, &least, &greatest) && (int64_t)least <= last) {
		segment_name(least, name);
		if (unlinkat(dir_fd, name, 0))
			return;
	}
}

/* Where the last whole line of a file ends. */
static int64_t segment_whole(int fd, int64_t size)
{
	char piece[SEGMENT_PIECE];

	while (size > 0) {
		int64_t n = size < SEGMENT_PIECE ? size : SEGMENT_PIECE;
		const char *newline;

		if (io_pread_full(fd, piece, (size_t)n, size - n))
			return size;
		newline = memrchr(piece, '\n', (size_t)n);
		if (newline)
			return size - n + (newline - piece) + 1;
		size -= n;
	}
	return 0;
}

int segment_last(int dir_fd, uint64_t *segment, int64_t *at)
{
	uint64_t least;
	struct stat st;
	int fd;

	if (!segments_find(dir_fd, 1, &least, segment))
		*segment = 1;
	fd = segment_make(dir_fd, *segment);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st)) {
		close(fd);
		return -EIO;
	}
	*at = segment_whole(fd, st.st_size);
	if (*at < st.st_size && ftruncate(fd, *at)) {
		close(fd);
		return -EIO;
	}
	return fd;
}

/* The first line of a segment with at most @most bytes behind its beginning; how many they are. */
static int64_t segment_latest(int dir_fd, struct journal_place *place, int64_t most)
{
	autoclose int fd = segment_open(dir_fd, place->segment, O_RDONLY);
	struct stat st;
	char byte = '\0';

	place->at = 0;
	if (fd < 0 || fstat(fd, &st))
		return 0;
	if (st.st_size <= most)
		return st.st_size;
	for (place->at = st.st_size - most - 1; place->at < st.st_size && byte != '\n'; place->at++)
		if (io_pread_full(fd, &byte, 1, place->at))
			byte = '\0';
	return st.st_size - place->at;
}

struct journal_place journal_latest(int dir_fd, int64_t most)
{
	struct journal_place place = { 0 }, before;
	uint64_t least;
	int64_t n;

	if (!segments_find(dir_fd, 1, &least, &place.segment))
		return place;
	n = segment_latest(dir_fd, &place, most);
	if (place.at || place.segment == least)
		return place;
	before.segment = place.segment - 1; /* the last one has begun not long ago */
	return segment_latest(dir_fd, &before, most - n) ? before : place;
}

/* The whole lines of a file from a place on.  -errno; -ENOENT: it is gone. */
static int segment_read(int dir_fd, struct journal_place *place, size_t most, struct buf *to)
{
	autoclose int fd = segment_open(dir_fd, place->segment, O_RDONLY);
	autofree char *piece = NULL;
	const char *newline;
	ssize_t n;

	if (fd < 0)
		return fd;
	piece = xmalloc(most);
	n = pread(fd, piece, most, place->at);
	if (n < 0)
		return -errno;
	newline = n ? memrchr(piece, '\n', (size_t)n) : NULL;
	if (!newline)
		return 0;
	buf_add(to, piece, (size_t)(newline - piece) + 1);
	place->at += newline - piece + 1;
	return 0;
}

int journal_read(int dir_fd, struct journal_place *place, size_t most, struct buf *to, bool *gap)
{
	uint64_t next, greatest;

	*gap = false;
	for (;;) {
		int rc = place->segment ? segment_read(dir_fd, place, most, to) : -ENOENT;

		if (rc && rc != -ENOENT)
			return -1;
		if (to->size)
			return 0;
		/* At its end, or gone: the next one, if there is one already. */
		if (!segments_find(dir_fd, place->segment + !rc, &next, &greatest))
			return 0;
		*gap |= rc && place->segment;
		*place = (struct journal_place){ .segment = next };
	}
}

bool journal_place_parse(const char *text, struct journal_place *place)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	place->segment = strtoull(text, &end, 10);
	if (errno || *end != '.' || end[1] < '0' || end[1] > '9')
		return false;
	place->at = strtoll(end + 1, &end, 10);
	return !errno && !*end;
}

void journal_place_print(const struct journal_place *place, char text[JOURNAL_PLACE])
{
	snprintf(text, JOURNAL_PLACE, "%llu.%lld", (unsigned long long)place->segment,
		 (long long)place->at);
}
