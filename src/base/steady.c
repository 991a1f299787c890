#include "base/steady.h"

#include "base/base.h"
#include "base/clock.h"

#define STEP_LEAST_MS 2000 /* what is less, slewing brings about; a stamp is shown as it was */

static struct {
	bool set;
	int64_t ms;
} basis;

void steady_set_basis(int64_t basis_ms)
{
	basis.ms = basis_ms;
	basis.set = true;
}

int64_t steady_basis(void)
{
	if (!basis.set)
		steady_set_basis(clock_wall_ms() - clock_boot_ms());
	return basis.ms;
}

int64_t steady_ms(void)
{
	return clock_boot_ms() + steady_basis();
}

/* How far the wall clock was set since. */
static int64_t steady_step(void)
{
	int64_t step = clock_wall_ms() - steady_ms();

	return step > -STEP_LEAST_MS && step < STEP_LEAST_MS ? 0 : step;
}

int64_t steady_shown(int64_t at_ms)
{
	return at_ms + steady_step();
}

int64_t steady_of_wall(int64_t wall_ms)
{
	return wall_ms - steady_step();
}

int64_t steady_or_wall(void)
{
	int64_t wall = clock_wall_ms(), steady = steady_ms();

	return wall < steady ? wall : steady;
}
