/* terminal.h - the user's terminal in raw mode, and back, however the program ends. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include "base/err.h"

void terminal_raw(void);     /* of standard input; harmless if it is raw already */
void terminal_restore(void); /* harmless if nothing was changed */
/* Of the terminal that shows the output.  False: it is none. */
bool terminal_size(unsigned *columns, unsigned *rows);

/* A descriptor that can be read when the window's size changed, or a signal came that would end
 * the program: terminal_signal says which one, or 0. */
int terminal_signals(struct err *e) must_check;
int terminal_signal(int fd);
/* End by this signal, with the terminal as it was. */
_Noreturn void terminal_die(int signal);

#endif
