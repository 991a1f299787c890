/* app.h - the application: started once, watched until it ends.  Its end does not end the guest. */
#ifndef GUEST_APP_H
#define GUEST_APP_H

#include "guest/container.h"
#include "guest/logs.h"
#include "guest/oom.h"
#include "guest/spec.h"

struct app {
	struct logs logs;
	struct oom oom;
	struct port *port;    /* borrowed */
	struct app_spec spec; /* without its files: for what is started beside it */
	int pid;              /* 0: not started, or ended */
	int64_t started_ms;
	char report[CONTAINER_REPORT]; /* both texts below are in it */
	const char *hint, *failure;    /* what looked wrong before the start; why there was none */
	bool started;
};

/* Serve START.  If the application cannot start, a LOG frame says why and an EXIT frame follows. */
void app_start(struct app *a, struct port *port, const struct agent_frame *f);

/* A child ended. */
void app_reaped(struct app *a, int pid, int status);

#endif
