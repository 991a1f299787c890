#include "ipc/touched.h"

#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct run {
	uint64_t first, n;
};

static struct run run_at(const uint8_t *data)
{
	struct run r;

	memcpy(&r, data, sizeof(r));
	return (struct run){ le64toh(r.first), le64toh(r.n) };
}

void touched_end(struct touched *t)
{
	struct run r = { htole64(t->first), htole64(t->n) };

	if (t->n)
		buf_add(t->to, &r, sizeof(r));
	t->n = 0;
}

void touched_add(struct touched *t, uint64_t first, uint64_t n)
{
	if (t->n && first - (t->first + t->n) > TOUCHED_GAP)
		touched_end(t);
	if (!t->n)
		t->first = first;
	t->n = first + n - t->first;
}

bool touched_next(const uint8_t *data, size_t size, size_t *at, uint64_t pages, uint64_t *first,
		  uint64_t *n)
{
	struct run r, before = { 0 };

	if (size - *at < sizeof(r))
		return false;
	if (*at)
		before = run_at(data + *at - sizeof(r));
	r = run_at(data + *at);
	if (r.first < before.first + before.n || r.first > pages || !r.n || r.n > pages - r.first)
		return false;
	*at += sizeof(r);
	*first = r.first;
	*n = r.n;
	return true;
}

void touched_read_ahead(const uint8_t *data, size_t size, int memory)
{
	uint64_t first, n;
	struct stat st;
	size_t at = 0;

	if (fstat(memory, &st) || st.st_size < 0)
		return;
	while (touched_next(data, size, &at, (uint64_t)st.st_size / TOUCHED_PAGE, &first, &n))
		(void)!posix_fadvise(memory, (off_t)(first * TOUCHED_PAGE),
				     (off_t)(n * TOUCHED_PAGE), POSIX_FADV_WILLNEED);
}
