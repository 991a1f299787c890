#include "guest/resume.h"

#include <fcntl.h>
#include <linux/random.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "guest/diag.h"

#define NS_PER_S 1000000000ULL

/* The bytes are mixed in, credited, and used at once, so two clones never draw the same bytes from
 * the kernel afterwards. */
static bool resume_reseed(struct resume *r, const uint8_t random[RESUME_RANDOM])
{
	/* struct rand_pool_info, whose last member has no size: bits, bytes, the bytes */
	uint32_t pool[2 + RESUME_RANDOM / 4] = { RESUME_RANDOM * 8, RESUME_RANDOM };

	memcpy(pool + 2, random, RESUME_RANDOM);
	if (!ioctl(r->random_fd, RNDADDENTROPY, pool) && !ioctl(r->random_fd, RNDRESEEDCRNG))
		return true;
	log_err("the kernel takes no randomness");
	return false;
}

static void resume_set_clock(uint64_t wall_ns)
{
	struct timespec now = {
		.tv_sec = (time_t)(wall_ns / NS_PER_S),
		.tv_nsec = (long)(wall_ns % NS_PER_S),
	};

	if (clock_settime(CLOCK_REALTIME, &now))
		log_err("the clock cannot be set");
}

static bool resume_random(const struct agent_frame *f, uint8_t random[RESUME_RANDOM])
{
	struct agent_field_view v;
	size_t at = 0;

	while (agent_field_next(f, &at, &v) == 1) {
		if (v.tag == FIELD_RANDOM && v.size >= RESUME_RANDOM) {
			memcpy(random, v.data, RESUME_RANDOM);
			return true;
		}
	}
	return false;
}

void resume_renew(struct resume *r, const struct agent_frame *f)
{
	uint8_t random[RESUME_RANDOM], generation[GENERATION_BYTES];

	/* The application sees what is drawn, which tells nothing about the seed. */
	if (resume_random(f, random) && resume_reseed(r, random) &&
	    getrandom(generation, sizeof(generation), 0) == sizeof(generation))
		generation_next(&r->generation, generation);
}

void resume_apply(struct resume *r, const struct agent_frame *f)
{
	uint64_t wall_ns;

	if (agent_get_u64(f, FIELD_WALL_NS, &wall_ns))
		resume_set_clock(wall_ns);
	resume_renew(r, f);
	diag_abort_outbound(r->diag_fd, false);
}

void resume_rehearse(struct resume *r)
{
	uint8_t random[RESUME_RANDOM];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	resume_set_clock((uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec);
	if (getrandom(random, sizeof(random), 0) == sizeof(random))
		resume_reseed(r, random);
	generation_rehearse(&r->generation);
	diag_abort_outbound(r->diag_fd, true);
}

int resume_open(struct resume *r, int diag_fd, struct err *e)
{
	r->diag_fd = diag_fd;
	r->random_fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
	if (r->random_fd < 0)
		return err_sys(e, "open /dev/urandom");
	return generation_open(&r->generation, e);
}
