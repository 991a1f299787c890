/* options.h - the command line of dozed, for its parser, its help and its manual page. */
#ifndef DOZED_OPTIONS_H
#define DOZED_OPTIONS_H

#include <argp.h>

/* Status when a role did not end cleanly after a signal asked for the end: doze.service does not
 * start dozed again then. */
#define DOZED_STOPPED_BADLY 3

extern const struct argp_option dozed_options[];
extern const char dozed_summary[];

#endif
