/* priv_role.c - the priv role alone, as `dozed --role priv` would be: the supervisor's channel is
 * descriptor 3, the configuration descriptor 4. */

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/conf.h"
#include "ipc/super.h"

int main(int argc, char **argv)
{
	struct conf conf;
	struct err e;

	if (argc != 2) {
		fprintf(stderr, "usage: priv_role INSTANCE 3<>channel 4<configuration\n");
		return 2;
	}
	log_init("priv", LOG_LEVEL_DEBUG);
	conf_defaults(&conf, argv[1]);
	if (conf_read(&conf, SUPER_CONFIG_FD, "test.ini", &e)) {
		log_err("%s", e.text);
		return 2;
	}
	close(SUPER_CONFIG_FD);
	return priv_main(&conf, SUPER_FD);
}
