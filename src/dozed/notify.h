/* notify.h - tells systemd, if that started us, that we serve (sd_notify(3): a datagram to
 * $NOTIFY_SOCKET). */
#ifndef DOZED_NOTIFY_H
#define DOZED_NOTIFY_H

void notify_ready(void);

#endif
