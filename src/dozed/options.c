#include "dozed/options.h"

#include <stddef.h>

const char dozed_summary[] = "The daemon of doze: microVMs that sleep until you call.";

const struct argp_option dozed_options[] = {
	{ "instance", 'i', "NAME", 0, "run a separate doze with its own places, ports and names",
	  0 },
	{ "config", 'c', "FILE", 0,
	  "read this configuration (default: /etc/doze[-NAME]/doze.ini, if it exists)", 0 },
	{ "daemon", 'd', NULL, 0,
	  "go to the background once everything serves, and log to the log directory", 0 },
	{ "help-config", 'H', NULL, 0, "print every key of the configuration", 0 },
	{ 0 },
};
