/* ask.h - a question on the terminal, and the key Ctrl-C, which asks or answers one. */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include "base/base.h"

enum answer {
	ANSWER_NO,
	ANSWER_YES,
	ANSWER_LEAVE,  /* Ctrl-C once more, or the end of the input */
	ANSWER_NOBODY, /* there is no terminal to ask on */
};

void interrupts_catch(void);    /* from now on Ctrl-C is counted instead of ending us */
unsigned interrupts_take(void); /* how many came since the last call */
/* "question [y/N] " */
enum answer ask(const char *question);
/* A line that is typed; a secret one is not shown.  False: there is no terminal, or no line. */
bool ask_text(const char *question, char *to, size_t size);
bool ask_secret(const char *question, char *to, size_t size);

#endif
