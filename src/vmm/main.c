/* main.c - doze-vmm: one microVM on KVM.  Started by priv inside its jail with the descriptors of
 * enum machine_fd; see ipc/machine.h and docs/vmm.md. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vmm/machine.h"
#include "vmm/probe.h"

struct options {
	const char *machine;
	struct machine_shape shape;
	bool probe;
};

static int usage(void)
{
	fputs("usage: doze-vmm --machine <id> --vcpus <n> --memory <MiB>\n"
	      "       doze-vmm --probe     is /dev/kvm usable here?\n"
	      "Runs one microVM.  It is started by dozed with its sockets, its tap and /dev/kvm "
	      "open; by hand only --probe is of use.\n",
	      stderr);
	return 2;
}

/* Returns 0 if it is not a number. */
static uint32_t number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	return *text && !*end && n <= UINT32_MAX ? (uint32_t)n : 0;
}

static bool options_read(struct options *o, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (!strcmp(argv[i], "--probe")) {
			o->probe = true;
			continue;
		}
		if (!strcmp(argv[i], "--machine"))
			o->machine = value;
		else if (!strcmp(argv[i], "--vcpus"))
			o->shape.vcpus = number(value);
		else if (!strcmp(argv[i], "--memory"))
			o->shape.memory_mib = number(value);
		else
			return false;
		i++;
	}
	return o->probe || (o->machine && o->shape.vcpus && o->shape.memory_mib);
}

static int probe(void)
{
	int fd = fcntl(MACHINE_FD_KVM, F_GETFD) < 0 ? open("/dev/kvm", O_RDWR | O_CLOEXEC)
						    : MACHINE_FD_KVM;
	char why[256];

	if (fd < 0) {
		printf("not usable: /dev/kvm cannot be opened: %s\n", strerror(errno));
		return 1;
	}
	if (!probe_kvm(fd, why, sizeof(why))) {
		printf("not usable: %s\n", why);
		return 1;
	}
	printf("usable: %s\n", why);
	return 0;
}

static int serve(const struct machine_shape *shape, struct err *e)
{
	static struct machine m;
	struct loop *loop = loop_new(e);

	if (!loop)
		return -1;
	/* Nothing is torn down: the process ends, and its filter would not even let it unmap. */
	return machine_open(&m, loop, shape, e) || loop_run(loop, e) ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	char name[64];
	struct err e;

	if (!options_read(&o, argc, argv))
		return usage();
	if (o.probe)
		return probe();
	snprintf(name, sizeof(name), "vmm/%.48s", o.machine);
	log_init(name, LOG_LEVEL_INFO);
	signal(SIGPIPE, SIG_IGN);
	if (serve(&o.shape, &e)) {
		log_err("%s", e.text);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
