/* doze-init: PID 1 of a guest.  It brings the guest up from an initramfs, where it stays: the
 * application's container on the root disk never sees it. */

#include <signal.h>
#include <stdlib.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "base/log.h"
#include "guest/agent.h"
#include "guest/boot.h"
#include "guest/timer.h"

static int init_run(struct err *e)
{
	struct hostlink host;

	if (boot_mounts(e))
		return -1;
	timer_check();
	if (boot_modules("boot", e) || boot_link(e))
		return -1;
	boot_tune();
	return hostlink_open(&host, e) ? -1 : agent_run(&host, e);
}

int main(void)
{
	struct err e = { 0 };

	log_init("doze-init", LOG_LEVEL_INFO);
	if (getpid() != 1) {
		log_err("this is the first process of a guest, it cannot run elsewhere");
		return EXIT_FAILURE;
	}
	signal(SIGPIPE, SIG_IGN);
	if (init_run(&e))
		log_err("%s", e.text);
	reboot(RB_AUTOBOOT); /* The machine ends instead of resetting. */
	return EXIT_FAILURE;
}
