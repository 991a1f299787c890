/* api.h - the REST API of the control role, as control's main sees it.
 *
 * Order at start: api_open (before the store is loaded), api_load_token for every row of the
 * store, api_set_certificates and api_set_ca when the secrets came, api_listen for every listener.
 * Requests are answered from then on; nothing in here blocks. */
#ifndef CONTROL_API_API_H
#define CONTROL_API_API_H

#include "control/control.h"
#include "control/model/model.h"

/* Makes ctl->api; ctl->conf, ctl->loop and ctl->store must be there. */
int api_open(struct control *ctl, struct err *e) must_check;
/* A clientToken that an earlier run of this process remembered. */
void api_load_token(struct control *ctl, const struct store_token *row);
/* SECRET_TLS_API or SECRET_API_CERTIFICATES; also later, for new connections.  Without them the API
 * is plain HTTP. */
int api_set_certificates(struct control *ctl, enum secret which, const char *pem, size_t size,
			 struct err *e) must_check;
/* PEM of the CA's certificate: public, answered by /doze/v1/env. */
void api_set_ca(struct control *ctl, const char *pem, size_t size);
/* Takes the listening socket over; @port is what /doze/v1/env says. */
int api_listen(struct control *ctl, int fd, uint16_t port, struct err *e) must_check;
/* Stops listening and cuts the connections. */
void api_close(struct control *ctl);
/* After store_close: nobody is answered any more. */
void api_free(struct control *ctl);

#endif
