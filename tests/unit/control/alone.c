/* The control role by itself, for tests/integration/control_rig.py: started as dozed would, the
 * supervisor on descriptor 3, the configuration on 4, and on 5 what it is lied to about. */

#include <stdlib.h>

#include "base/log.h"
#include "conf/conf.h"
#include "ipc/super.h"
#include "lies.h"

int main(void)
{
	struct conf conf;
	struct err e;

	lies_open();
	log_init("control", getenv("DOZE_DEBUG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN);
	conf_defaults(&conf, "");
	if (conf_read(&conf, SUPER_CONFIG_FD, "the rig's", &e)) {
		log_err("%s", e.text);
		return 1;
	}
	return control_main(&conf, SUPER_FD);
}
