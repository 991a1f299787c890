/* role.c - the program of one role: `dozed-NAME --role NAME --instance INSTANCE`, started by dozed;
 * `--engine kvm` or `--engine qemu` says which engine dozed has found usable.
 *
 * It is built once per role, with the entry point of the role as ROLE_ENTRY (ipc/super.h). Only the
 * supervisor can start it, because it passes descriptors 3 and 4. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/steady.h"
#include "dozed/process.h"
#include "ipc/super.h"

int main(int argc, char **argv)
{
	struct conf conf;
	struct err e;
	int config = fcntl(SUPER_CONFIG_FD, F_GETFD) < 0 ? -1 : SUPER_CONFIG_FD;

	if (argc != 9 || strcmp(argv[1], "--role") != 0 || strcmp(argv[3], "--instance") != 0 ||
	    strcmp(argv[5], "--engine") != 0 || strcmp(argv[7], "--clock") != 0) {
		fputs("this is a part of dozed; start it with 'doze up'\n", stderr);
		return 1;
	}
	log_init(argv[2], LOG_LEVEL_INFO);
	conf_defaults(&conf, argv[4]);
	if (conf_read(&conf, config, "the configuration", &e)) {
		log_err("%s", e.text);
		return 1;
	}
	conf.kvm = !strcmp(argv[6], "kvm");
	steady_set_basis(strtoll(argv[8], NULL, 10));
	process_init(&conf, argv[2]);
	return ROLE_ENTRY(&conf, SUPER_FD) ? 1 : 0;
}
