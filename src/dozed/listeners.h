/* listeners.h - the sockets that strangers connect to, opened before privileges are dropped. */
#ifndef DOZED_LISTENERS_H
#define DOZED_LISTENERS_H

#include "conf/conf.h"
#include "ipc/super.h"

#define LISTENERS_MAX 6

struct listeners {
	struct {
		enum listener which;
		uint16_t port;
		int fd;
	} each[LISTENERS_MAX];
	size_t n;
};

/* API and S3 on both loopbacks; endpoints on both loopbacks for a domain under localhost, else on
 * every address; the endpoint port is the configured one, or, if it is taken, the next free from
 * 8443 on. */
int listeners_open(struct listeners *l, const struct conf *conf, struct err *e) must_check;

#endif
