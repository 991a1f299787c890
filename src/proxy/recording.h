/* recording.h - where the records of requests go: to the access log and to the meters. */
#ifndef PROXY_RECORDING_H
#define PROXY_RECORDING_H

#include "proxy/proxy.h"
#include "proxy/record.h"

void recording_begin(struct request_record *r, const struct http_head *head, unsigned version);
/* NULL, or why a limit keeps it out: it is to be refused with 429. */
const char *recording_admitted(struct proxy *p, struct request_record *r, struct route *route,
			       uint16_t port);
void recording_held(struct request_record *r, bool for_microvm);
void recording_sent(struct request_record *r);
void recording_answered(struct request_record *r, unsigned status);
/* It is over: once for each that began; harmless for one that did not. */
void recording_end(struct proxy *p, struct request_record *r);
void recording_bad(struct proxy *p, unsigned status); /* its head could not be read */

#endif
