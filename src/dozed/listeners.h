/* listeners.h - the sockets that strangers connect to. They are opened before privileges are
 * dropped. */
#ifndef DOZED_LISTENERS_H
#define DOZED_LISTENERS_H

#include "conf/conf.h"
#include "conf/listen.h"
#include "ipc/super.h"

#define LISTENERS_MAX (4 + LISTEN_ADDRESSES * (2 + SUPER_WORKERS))

struct listeners {
	struct {
		enum listener which;
		unsigned worker; /* of the proxy: which of them accepts here */
		uint16_t port;
		int fd;
	} each[LISTENERS_MAX];
	size_t n;
};

/* All listen on both loopbacks and on the addresses of [service] listen; API and S3 also on that of
 * guests, where a role is doze's own.  If no addresses are given, endpoints whose domain is not
 * under localhost listen on every address. If the configured port of the endpoints is taken, they
 * get the first free one from 8443 on.  Each of the proxy's @workers has sockets of its own there,
 * among which the kernel spreads new connections. */
int listeners_open(struct listeners *l, const struct conf *conf, unsigned workers,
		   struct err *e) must_check;

#endif
