#include "cli/ask.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static volatile sig_atomic_t interrupts;

static void interrupts_count(int number)
{
	(void)number;
	interrupts++;
}

void interrupts_catch(void)
{
	struct sigaction action = { .sa_handler = interrupts_count }, before;

	/* A shell without job control starts what goes on in the background so that it ignores the
	 * key. */
	if (!sigaction(SIGINT, NULL, &before) && before.sa_handler == SIG_IGN)
		return;
	sigaction(SIGINT, &action, NULL);
}

unsigned interrupts_take(void)
{
	unsigned n = (unsigned)interrupts;

	interrupts = 0;
	return n;
}

enum answer ask(const char *question)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	char line[80];
	ssize_t n;

	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return ANSWER_NOBODY;
	fprintf(stderr, "%s [y/N] ", question);
	do {
		/* A short wait notices the key that came just before poll too. */
		n = poll(&input, 1, 200);
		if (interrupts_take()) {
			fputc('\n', stderr);
			return ANSWER_LEAVE;
		}
	} while (!n || (n < 0 && errno == EINTR));
	n = read(STDIN_FILENO, line, sizeof(line));
	if (n <= 0)
		return ANSWER_LEAVE;
	return line[0] == 'y' || line[0] == 'Y' ? ANSWER_YES : ANSWER_NO;
}

bool ask_text(const char *question, char *to, size_t size)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return false;
	fputs(question, stderr);
	if (!fgets(to, (int)size, stdin))
		return false;
	to[strcspn(to, "\r\n")] = '\0';
	return *to;
}

/* The terminal is as before when Ctrl-C ends the program here, since the key still works and the
 * shell sets it anew. */
bool ask_secret(const char *question, char *to, size_t size)
{
	struct termios before, hidden;
	bool ok;

	if (tcgetattr(STDIN_FILENO, &before))
		return false;
	hidden = before;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	ok = ask_text(question, to, size);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	fputc('\n', stderr);
	return ok;
}
