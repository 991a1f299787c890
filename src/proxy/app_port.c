#include "proxy/app_port.h"

struct app_port *app_port_of(struct app_ports *ports, uint16_t port)
{
	struct app_port *p = &ports->at[0];

	for (size_t i = 0; i < ARRAY_SIZE(ports->at); i++) {
		if (ports->at[i].port == port) {
			ports->at[i].used = ++ports->uses;
			return &ports->at[i];
		}
		if (ports->at[i].used < p->used)
			p = &ports->at[i];
	}
	*p = (struct app_port){ .port = port, .used = ++ports->uses };
	return p;
}

void app_port_failed(struct app_port *p)
{
	if (p->speech == APP_PLAIN)
		p->speech = APP_UNKNOWN;
}
