/* urgent.h - lets QEMU run before all other processes while its guest's kernel boots.
 *
 * The kernel measures its timer at boot, against a clock that goes on when the host gives QEMU no
 * time (guest/timer.h).  priv starts the machines of builds so, where the host allows it, and QEMU
 * inherits it.  What boots is our own kernel and doze-init: nothing of a stranger's runs before the
 * agent's first word, which ends the urgency, and a process without rights cannot take it up again.
 */
#ifndef QEMU_URGENT_H
#define QEMU_URGENT_H

#include <stdbool.h>
#include <sys/types.h>

#define URGENT_MS 5000 /* at most, since a guest that hangs may spin */

bool urgent(void); /* is this process? */
/* False: a thread of @pid could not be calmed. */
bool urgent_end(pid_t pid);

#endif
