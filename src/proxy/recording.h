/* recording.h - where the records of requests go: to the access log and to the meters. */
#ifndef PROXY_RECORDING_H
#define PROXY_RECORDING_H

#include "proxy/proxy.h"
#include "proxy/record.h"

void recording_begin(struct request_record *r, const struct http_head *head, unsigned version);
/* False: a limit keeps it out, and *why says which. */
bool recording_admitted(struct proxy *p, struct request_record *r, struct route *route,
			uint16_t port, uint64_t token, enum refusal *why) must_check;
const char *recording_limit_text(enum refusal limit); /* of those */
void recording_held(struct request_record *r, bool for_microvm);
void recording_sent(struct request_record *r);
void recording_answered(struct request_record *r, unsigned status);
/* It is over: once for each that began; harmless for one that did not. */
void recording_end(struct proxy *p, struct request_record *r);
void recording_bad(struct proxy *p, unsigned status); /* its head could not be read */
/* Somebody who made no request, and thus has no record: a client of a published port, a flow. */
void recording_refused(struct proxy *p, struct route *route, enum refusal why);

#endif
