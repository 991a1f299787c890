/* top.c - shows which microVMs are busy: again and again on a terminal, once elsewhere. */

#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/top_rows.h"

#define TOP_MOST_S 3600

static const char top_home[] =
	"\033[H\033[J"; /* the cursor goes to the corner, all behind it goes */

static void top_window(int *columns, int *lines)
{
	struct winsize size;

	*columns = *lines = 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		return;
	*columns = size.ws_col;
	*lines = size.ws_row > 1 ? size.ws_row - 1 : 0;
}

static int top_show(const struct client *c, const json_t *before, const json_t *now,
		    int64_t passed_ms, bool live)
{
	json_t *rows = top_rows(before, now, (double)passed_ms / 1000.0);
	int columns = 0, lines = 0;

	if (live) {
		top_window(&columns, &lines);
		fputs(top_home, stdout);
	}
	if (c->json)
		json_print(rows);
	else
		top_print(stdout, now, rows, columns, lines);
	json_decref(rows);
	return fflush(stdout) ? -1 : 0; /* nobody looks any more */
}

int cmd_top(struct client *c, const struct typed *t)
{
	const char *text = typed_option(t, "--interval");
	bool live = isatty(STDOUT_FILENO) && !c->json, over = false;
	json_t *before = NULL, *now;
	int64_t before_ms = 0;
	long seconds = 1;
	struct err e;

	if (text && words_number("--interval", text, 1, TOP_MOST_S, &seconds))
		return USAGE;
	while (!over && (now = client_json(c, "GET", "/doze/v1/stats", NULL, &e))) {
		int64_t now_ms = clock_mono_ms();

		if (before)
			over = top_show(c, before, now, now_ms - before_ms, live) || !live;
		json_decref(before);
		before = now;
		before_ms = now_ms;
		if (!over)
			poll(NULL, 0, (int)seconds * 1000);
	}
	json_decref(before);
	return over ? 0 : say(&e);
}
