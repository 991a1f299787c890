/* app_port.h - whether the application on a port speaks TLS (ADR 0014).  Pure.
 *
 * It is found out once for each port of a machine and remembered: from the first answer, or by a
 * handshake on a connection of its own when plain HTTP gets no proper one (probe.c). */
#ifndef PROXY_APP_PORT_H
#define PROXY_APP_PORT_H

#include "base/base.h"

#define APP_PORTS 16 /* of one microVM that are remembered */

enum app_speech { APP_UNKNOWN, APP_PLAIN, APP_TLS };

struct app_port {
	uint16_t port; /* 0: free */
	enum app_speech speech;
	bool http2;           /* what a server that speaks TLS chose */
	int64_t not_until_ms; /* monotonic: no handshake is tried before */
	uint64_t used;        /* which row was needed longest ago */
};

struct app_ports {
	struct app_port at[APP_PORTS];
	uint64_t uses;
};

struct app_port *app_port_of(struct app_ports *ports, uint16_t port);
/* An application that was started anew may speak otherwise, so a plain port is asked again after
 * it failed. */
void app_port_failed(struct app_port *p);

#endif
