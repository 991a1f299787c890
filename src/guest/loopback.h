/* loopback.h - connections to the guest's own ports. */
#ifndef GUEST_LOOPBACK_H
#define GUEST_LOOPBACK_H

#include "base/base.h"

/* Start to connect a new non-blocking socket to 127.0.0.1:port, or to [::1]:port.  Returns an owned
 * descriptor, or -errno.  *done tells whether it is connected already. */
int loopback_connect(uint16_t port, bool six, bool *done) must_check;

/* A new non-blocking socket for datagrams to and from 127.0.0.1:port, or [::1]:port.  Returns an
 * owned descriptor, or -errno. */
int loopback_datagrams(uint16_t port, bool six) must_check;

/* The result of the connect, once the socket is writable: 0 or -errno.  Of a socket for datagrams:
 * what became of those that were sent. */
int loopback_result(int fd) must_check;

#endif
