#include "guest/answer.h"

#include <string.h>

#define ANSWER_MAX (16 * KIB) /* status lines and interim headers */

static bool answer_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A status line is HTTP/1.x, a space, three digits, and then the end or a space and a reason. */
static int answer_status(const struct answer *a)
{
	const char *at = a->line;
	int status;

	if (a->n_line < ANSWER_START || memcmp(at, "HTTP/1.", 7) != 0 || !answer_digit(at[7]) ||
	    at[8] != ' ')
		return -1;
	for (int i = 9; i < ANSWER_START; i++)
		if (!answer_digit(at[i]))
			return -1;
	if (a->n_line > ANSWER_START && at[ANSWER_START] != ' ' && at[ANSWER_START] != '\r')
		return -1;
	status = (at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0');
	return status < 100 ? -1 : status;
}

/* Take a whole line.  Returns what answer_feed does. */
static int answer_line(struct answer *a)
{
	bool empty = !a->n_line || (a->n_line == 1 && a->line[0] == '\r');

	if (a->skipping) {
		a->skipping = !empty;
		return 0;
	}
	a->status = answer_status(a);
	if (a->status < 0)
		return -1;
	a->skipping = a->status < 200;
	return a->status >= 200;
}

int answer_feed(struct answer *a, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		int rc;

		if (++a->total > ANSWER_MAX)
			return -1;
		if (data[i] != '\n') {
			if (a->n_line < sizeof(a->line))
				a->line[a->n_line++] = (char)data[i];
			continue;
		}
		rc = answer_line(a);
		a->n_line = 0;
		if (rc)
			return rc;
	}
	return 0;
}
