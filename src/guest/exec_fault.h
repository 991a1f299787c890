/* exec_fault.h - says in one sentence why a program could not be started, and what to do.  Pure. */
#ifndef GUEST_EXEC_FAULT_H
#define GUEST_EXEC_FAULT_H

#include "guest/exec_look.h"
#include "guest/user.h"

/* Write "run 'NAME': errno's text: the cause".  @error is what execve answered to @u. */
void exec_fault(const struct exec_look *l, int error, const struct user *u, char *text,
		size_t room);

/* What may explain that a program which could be started ended at once.  False: nothing does. */
bool exec_hint(const struct exec_look *l, const struct app_spec *s, char *text, size_t room);

#endif
