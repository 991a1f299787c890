/* loopback.h - connections to the guest's own ports. */
#ifndef GUEST_LOOPBACK_H
#define GUEST_LOOPBACK_H

#include "base/base.h"

/* Start to connect a new non-blocking socket to 127.0.0.1:port, or to [::1]:port.  Returns an owned
 * descriptor, or -errno.  *done tells whether it is connected already. */
int loopback_connect(uint16_t port, bool six, bool *done) must_check;

/* The result of the connect, once the socket is writable: 0 or -errno. */
int loopback_result(int fd) must_check;

#endif
