#include "qemu/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "machine/memory.h"
#include "machine/scan.h"

#define PAGE        ((uint64_t)FORMAT_PAGE)
#define BATCH_PAGES 256ULL /* copied at once */

struct pages_mapping {
	uint64_t from, to, offset;
};

/* Does this line, "from-to perms offset major:minor inode path", show a mapping of this file? */
static bool pages_mapping(const char *line, const struct stat *file, struct pages_mapping *m)
{
	unsigned long major, minor;
	char *at;

	m->from = strtoull(line, &at, 16);
	m->to = strtoull(at + 1, &at, 16);
	at += strcspn(at + 1, " ") + 1;
	m->offset = strtoull(at, &at, 16);
	major = strtoul(at, &at, 16);
	minor = strtoul(at + 1, &at, 16);
	return strtoull(at, NULL, 10) == file->st_ino &&
	       makedev((unsigned)major, (unsigned)minor) == file->st_dev;
}

/* Find the address of the file's offset 0, or 0 if it is not mapped.  The rest of the file follows,
 * perhaps as several mappings. */
static uint64_t pages_find(FILE *maps, const struct stat *file, uint64_t size)
{
	struct pages_mapping m;
	uint64_t begin = 0, next = 0;
	char line[512];

	while (fgets(line, sizeof(line), maps)) {
		if (!pages_mapping(line, file, &m))
			continue;
		if (!m.offset)
			begin = next = m.from;
		if (!begin || m.from != next || m.offset != m.from - begin)
			return 0;
		next = m.to;
	}
	return next - begin == size ? begin : 0;
}

static int pages_proc(pid_t pid, const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return open(path, flags | O_CLOEXEC);
}

int pages_open(struct pages_view *v, pid_t pid, int memory_fd, uint64_t size, struct err *e)
{
	struct stat st;
	FILE *maps;
	int fd;

	*v = (struct pages_view){ -1, -1, 0, size };
	fd = pages_proc(pid, "maps", O_RDONLY);
	maps = fd < 0 ? NULL : fdopen(fd, "r");
	if (!maps || fstat(memory_fd, &st)) {
		fd_close(&fd);
		return err_sys(e, "read the mappings of QEMU");
	}
	v->at = pages_find(maps, &st, size);
	fclose(maps);
	if (!v->at)
		return err_set(e, ERR_INTERNAL,
			       "QEMU does not map the guest's memory in one piece");
	v->pagemap_fd = pages_proc(pid, "pagemap", O_RDONLY);
	v->mem_fd = pages_proc(pid, "mem", O_RDWR);
	if (v->pagemap_fd < 0 || v->mem_fd < 0) {
		err_sys(e, "open the memory of QEMU");
		pages_close(v);
		return -1;
	}
	return 0;
}

void pages_close(struct pages_view *v)
{
	fd_close(&v->pagemap_fd);
	fd_close(&v->mem_fd);
}

int pages_copy(int memory_fd, uint64_t size, int to, uint64_t *written, struct err *e)
{
	autofree uint8_t *data = xmalloc(BATCH_PAGES * PAGE);
	struct memory_file file = { .fd = to };
	off_t at = 0;

	while ((at = lseek(memory_fd, at, SEEK_DATA)) >= 0) {
		off_t hole = lseek(memory_fd, at, SEEK_HOLE);

		while (at < hole) {
			uint64_t left = (uint64_t)(hole - at) / PAGE;
			uint64_t n = left < BATCH_PAGES ? left : BATCH_PAGES;

			if (memory_read(memory_fd, data, n * PAGE, (uint64_t)at, e) ||
			    memory_put(&file, data, (uint64_t)at / PAGE, n, e))
				return -1;
			at += (off_t)(n * PAGE);
		}
	}
	if (errno != ENXIO)
		return err_sys(e, "look for the guest's memory");
	*written = file.written;
	return memory_end(&file, size, e);
}

struct pages_saving {
	const struct pages_view *view;
	int image_fd;
	struct memory_file to;
	struct buf *runs;
	uint8_t *own, *image; /* BATCH_PAGES each */
};

/* Of the pages that the process owns, those that differ from the image become runs. */
static int pages_save_batch(struct pages_saving *s, uint64_t first, size_t n, struct err *e)
{
	if (memory_read(s->view->mem_fd, s->own, n * PAGE, s->view->at + first * PAGE, e) ||
	    memory_read(s->image_fd, s->image, n * PAGE, first * PAGE, e))
		return -1;
	return memory_put_changed(&s->to, s->own, s->image, first, n, s->runs, e);
}

static int pages_save_run(struct pages_saving *s, struct scan_run run, struct err *e)
{
	while (run.n) {
		uint64_t n = run.n < BATCH_PAGES ? run.n : BATCH_PAGES;

		if (pages_save_batch(s, run.first, n, e))
			return -1;
		run.first += n;
		run.n -= n;
	}
	return 0;
}

int pages_save(const struct pages_view *v, int image_fd, int to, struct buf *runs,
	       uint64_t *written, struct err *e)
{
	autofree uint8_t *own = xmalloc(BATCH_PAGES * PAGE);
	autofree uint8_t *image = xmalloc(BATCH_PAGES * PAGE);
	struct pages_saving s = { v, image_fd, { .fd = to }, runs, own, image };
	struct scan scan;
	int rc;

	scan_begin(&scan, v->pagemap_fd, v->at, v->size / PAGE, true);
	while ((rc = scan_step(&scan, e)) > 0)
		for (size_t i = 0; i < scan.n_runs; i++)
			if (pages_save_run(&s, scan.run[i], e))
				return -1;
	if (rc < 0)
		return -1;
	*written = s.to.written;
	return memory_end(&s.to, v->size, e);
}

int pages_lay(const struct pages_view *v, int from, const struct format *f, struct err *e)
{
	autofree uint8_t *data = xmalloc(BATCH_PAGES * PAGE);

	for (size_t i = 0; i < f->n_runs; i++) {
		struct format_run run = format_run(f, i);

		while (run.n) {
			uint64_t n = run.n < BATCH_PAGES ? run.n : BATCH_PAGES;

			if (memory_read(from, data, n * PAGE, run.first * PAGE, e) ||
			    memory_write(v->mem_fd, data, n * PAGE, v->at + run.first * PAGE, e))
				return -1;
			run.first += n;
			run.n -= n;
		}
	}
	return 0;
}
