/* published_client.h - a client of a published port, until it is inside (waiting_client.h). */
#ifndef PROXY_PUBLISHED_CLIENT_H
#define PROXY_PUBLISHED_CLIENT_H

#include "proxy/publication.h"

void published_client_new(struct publication *pub, int fd); /* takes over what was accepted */
void published_clients_close(struct publication *pub);      /* those that wait */

#endif
