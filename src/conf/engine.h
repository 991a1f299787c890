/* engine.h - can new machines run on KVM here?  dozed asks at its start, `doze doctor` when told.
 */
#ifndef CONF_ENGINE_H
#define CONF_ENGINE_H

#include <sys/types.h>

#include "conf/conf.h"

struct engine_probe {
	bool usable;
	char text[256]; /* "usable: ..." or "not usable: ...", without an end of line */
};

/* Run `doze-vmm --probe` with /dev/kvm as its descriptor 6, for a root caller as @uid; at most a
 * second. */
void engine_probe(struct engine_probe *p, const char *libexec, uid_t uid);
/* What a probe's process left.  Pure; @status as of waitpid, -1: it took too long. */
void engine_judge(struct engine_probe *p, int status, const char *said);
/* conf->kvm by conf->engine.  ERR_CONFLICT: KVM is asked for and not usable.  Pure. */
int engine_choose(struct conf *conf, const struct engine_probe *p, struct err *e) must_check;

#endif
