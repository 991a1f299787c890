#include "guest/generation.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/hex.h"

#define GENERATION_DIGITS (2 * GENERATION_BYTES)

const char *const generation_files[GENERATION_NUM][2] = {
	{ "/generation", GENERATION_FILE },
	{ "/sysgenid", GENERATION_COUNTER },
};

/* The page that holds the end of a file is mapped whole. */
static void *generation_page(int fd, size_t size, struct err *e)
{
	void *page = MAP_FAILED;

	if (!ftruncate(fd, (off_t)size))
		page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED) {
		err_sys(e, "map a file of the generation");
		return NULL;
	}
	return page;
}

/* Whoever reads the file in this moment may see digits of both, which are those of neither. */
static void generation_write(struct generation *g, const uint8_t random[GENERATION_BYTES])
{
	char text[GENERATION_DIGITS + 1];

	hex_encode(random, GENERATION_BYTES, text);
	memcpy(g->text, text, GENERATION_DIGITS);
}

int generation_map(struct generation *g, int text_fd, int counter_fd, struct err *e)
{
	uint8_t random[GENERATION_BYTES];

	g->text = generation_page(text_fd, GENERATION_DIGITS + 1, e);
	g->counter = g->text ? generation_page(counter_fd, sizeof(*g->counter), e) : NULL;
	if (!g->counter)
		return -1;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return err_sys(e, "make the generation");
	generation_write(g, random);
	g->text[GENERATION_DIGITS] = '\n';
	*g->counter = 1;
	return 0;
}

int generation_open(struct generation *g, struct err *e)
{
	int fds[GENERATION_NUM] = { -1, -1 };
	int rc = 0;

	for (size_t i = 0; i < GENERATION_NUM && !rc; i++) {
		fds[i] = open(generation_files[i][0], O_RDWR | O_CREAT | O_CLOEXEC, 0444);
		if (fds[i] < 0)
			rc = err_sys(e, "make '%s'", generation_files[i][0]);
	}
	if (!rc)
		rc = generation_map(g, fds[0], fds[1], e);
	for (size_t i = 0; i < GENERATION_NUM; i++)
		fd_close(&fds[i]);
	return rc;
}

void generation_next(struct generation *g, const uint8_t random[GENERATION_BYTES])
{
	generation_write(g, random);
	atomic_thread_fence(memory_order_release);
	if (!++*g->counter)
		++*g->counter;
}

void generation_rehearse(struct generation *g)
{
	volatile char *text = g->text;
	const uint32_t counter = *g->counter;
	const char digit = *text;

	*text = digit;
	*g->counter = counter;
}
