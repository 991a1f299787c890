/* drive - plays a machine's owner from the command line.
 *
 * drive program=PATH [KEY=VALUE ...] COMMAND [KEY=VALUE ...] [COMMAND ...]
 *
 *   program=PATH id=m-test vcpus=1 memory=128   the machine process and its arguments
 *   tap=NAME        descriptor 5 is this tap (tap0), made if it is not there
 *   jail=no         as root and with this root directory; else uid 65534 in an empty one
 *                   (a sanitizer's build has libraries to load: it is never jailed)
 *   raw=1 args=...  no machine at all: a program with these arguments, split at white space
 *   fd10=PATH       of a raw program: this file is its descriptor 10
 *   fifo=1          drive runs before all others: costs are read when the awaited byte comes
 *   trace=1         count system calls (costs are wrong then)
 *   forbid=TEXT     a line of the console with this is a failure
 *   quiet=1         do not say what the console says
 *
 *   hello           connect, and wait for the machine to be ready for a request
 *   boot kernel= initrd= root= overlay=         restore image= root= overlay= [save=] [stopped=1]
 *                   ahead=1: what the image says is touched is read ahead
 *   touched dir=                                what a start touches, to an image
 *   snapshot dir=   save dir=   pause   continue   stop   stats   agent type=TYPE [arg=...]
 *                   restore, continue: with mark=1 as mark, with nowait=1 as without answer
 *                   stats: with back=N ms=N until N bytes less are private than at the last stats,
 * at most so long answer          wait for what nowait=1 did not await [text=TEXT | frame=TYPE]
 * [n=N]        the console says TEXT (any byte), N times mark costs are also told from here on
 *   measure name=NAME                           the costs at the last await
 *   http port=N [path=/] [body=N] [text=TEXT] [bytes=N]
 *                   CONNECT and GET, or POST N bytes; show=1: say the answer;
 *                   hold=1: no request, the stream is left open
 *   sleep ms=N      exited [reason=TEXT]        kill
 *   leave           the machine, a jailed one, goes on when drive ends
 *
 * "!" in front of a command: the machine must answer FAULT (http: ERR).  Exit status 1: it went
 * otherwise. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drive.h"

const char *words_get(const struct words *w, const char *key)
{
	for (unsigned i = 0; i < w->n; i++)
		if (!strcmp(w->word[i].key, key))
			return w->word[i].value;
	return NULL;
}

const char *words_need(const struct words *w, const char *key, struct err *e)
{
	const char *value = words_get(w, key);

	if (!value)
		err_set(e, ERR_INVALID, "%s needs %s=", w->name, key);
	return value;
}

unsigned words_number(const struct words *w, const char *key, unsigned otherwise)
{
	const char *value = words_get(w, key);

	return value ? (unsigned)strtoul(value, NULL, 0) : otherwise;
}

/* Words up to the next command; argv is cut at the '='. */
static int words_take(struct words *w, char **argv, int argc, int *at, struct err *e)
{
	for (; *at < argc; ++*at) {
		char *cut = strchr(argv[*at], '=');

		if (!cut)
			return 0;
		if (w->n == DRIVE_WORDS)
			return err_set(e, ERR_INVALID, "%s: too many words", w->name);
		*cut = 0;
		w->word[w->n].key = argv[*at];
		w->word[w->n++].value = cut + 1;
	}
	return 0;
}

static int main_command(struct drive *d, struct words *w, struct err *e)
{
	int rc;

	d->refused = false;
	rc = drive_command(d, w, e);
	if (!w->must_fail || (rc && !d->refused))
		return rc;
	if (!rc)
		return err_set(e, ERR_INTERNAL, "%s should have failed", w->name);
	drive_say(d, "as it should: %s", e->text);
	return 0;
}

static int main_drive(struct drive *d, int argc, char **argv, struct err *e)
{
	struct sched_param first = { .sched_priority = 1 };
	static struct words start = { .name = "drive" };
	int at = 1;

	if (words_take(&start, argv, argc, &at, e))
		return -1;
	if (words_get(&start, "fifo") &&
	    syscall(SYS_sched_setscheduler, 0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first))
		return err_sys(e, "run before all others");
	d->start = &start;
	if (drive_start(d, e))
		return -1;
	while (at < argc) {
		struct words w = { .name = argv[at++] };

		w.must_fail = w.name[0] == '!';
		w.name += w.must_fail;
		if (words_take(&w, argv, argc, &at, e) || main_command(d, &w, e))
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct drive drive = { .pidfd = -1, .console = -1, .sock = -1 };
	struct err e;
	int rc;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2) {
		puts("drive program=PATH [KEY=VALUE ...] COMMAND [KEY=VALUE ...] ...");
		return 2;
	}
	rc = main_drive(&drive, argc, argv, &e);
	if (rc) {
		drive_say(&drive, "FAILED: %s", e.text);
		if (drive.seen.size)
			printf("its console ended with: %.2000s\n",
			       buf_str(&drive.seen) +
				       (drive.seen.size > 2000 ? drive.seen.size - 2000 : 0));
	}
	drive_end(&drive);
	return rc ? 1 : 0;
}
