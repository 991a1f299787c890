#include "guest/ending.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define ENDING_OUTPUT 200 /* of the last lines; stateReason has room for about 500 in all */

struct ending_to {
	char *text;
	size_t room, n;
};

static void ending_add(struct ending_to *to, const char *fmt, ...) printf_like(2, 3);

static void ending_add(struct ending_to *to, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(to->text + to->n, to->room - to->n, fmt, ap);
	va_end(ap);
	if (n > 0)
		to->n += (size_t)n < to->room - to->n ? (size_t)n : to->room - to->n - 1;
}

// clang-format off
static const struct {
	int signal;
	const char *name, *means;
} ending_signals[] = {
	{ SIGKILL, "SIGKILL", "" },
	{ SIGSEGV, "SIGSEGV", ": it used memory that is not its own" },
	{ SIGABRT, "SIGABRT", ": it gave up by itself" },
	{ SIGILL,  "SIGILL",  ": it has instructions that this processor lacks; build it for a plain x86-64" },
	{ SIGBUS,  "SIGBUS",  "" },
	{ SIGFPE,  "SIGFPE",  ": it divided by zero" },
	{ SIGTERM, "SIGTERM", "" },
	{ SIGINT,  "SIGINT",  "" },
	{ SIGTRAP, "SIGTRAP", "" },
	{ SIGSYS,  "SIGSYS",  "" },
};

/* What an exit code means by custom.  125 and above are what shells and env end with. */
static const struct {
	int code;
	const char *means;
} ending_codes[] = {
	{ 0, ": it is the microVM's process 1, which has to stay; a server that goes to the background as a daemon "
	     "needs its option for the foreground (as nginx -g 'daemon off;')" },
	{ 126, ": a shell ends so if it may not run a program" },
	{ 127, ": a shell ends so if it does not find a program, and a loader if it does not find a library" },
};
// clang-format on

int ending_code(const struct ending *e)
{
	return WIFSIGNALED(e->status) ? 128 + WTERMSIG(e->status) : WEXITSTATUS(e->status);
}

static void ending_signal(const struct ending *e, struct ending_to *to)
{
	int number = WTERMSIG(e->status);

	ending_add(to, "signal %d", number);
	for (size_t i = 0; i < ARRAY_SIZE(ending_signals); i++)
		if (ending_signals[i].signal == number)
			ending_add(to, " (%s)", ending_signals[i].name);
	ending_add(to, " killed the application after ");
}

static const char *ending_means(const struct ending *e)
{
	int code = ending_code(e);

	if (WIFSIGNALED(e->status)) {
		for (size_t i = 0; i < ARRAY_SIZE(ending_signals); i++)
			if (ending_signals[i].signal == WTERMSIG(e->status) && !e->oom_kills)
				return ending_signals[i].means;
		return "";
	}
	for (size_t i = 0; i < ARRAY_SIZE(ending_codes); i++)
		if (ending_codes[i].code == code)
			return ending_codes[i].means;
	return "";
}

static void ending_memory(const struct ending *e, struct ending_to *to)
{
	if (e->oom_kills)
		ending_add(
			to,
			"; the kernel killed %llu of its processes, since its %llu MiB of memory "
			"were used up",
			(unsigned long long)e->oom_kills,
			(unsigned long long)(e->memory_max / MIB));
}

static bool ending_is_telling(const char *line, size_t len)
{
	static const char *const words[] = { "Error", "error:", "ERROR", "Exception", "Caused by",
					     "panic", "fatal",  "FATAL", "[emerg]" };
	size_t blanks = strspn(line, " ");

	if (len <= blanks || !strncmp(line + blanks, "at ", 3)) /* a frame of a stack */
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (memmem(line, len, words[i], strlen(words[i])))
			return true;
	return false;
}

/* The last line that names an error, since a trace of the stack may follow it. */
static const char *ending_telling(const char *output, size_t *len)
{
	const char *found = NULL, *next;

	for (const char *line = output; line; line = next ? next + 3 : NULL) {
		size_t n;

		next = strstr(line, " | ");
		n = next ? (size_t)(next - line) : strlen(line);
		if (!ending_is_telling(line, n))
			continue;
		found = line;
		*len = n;
	}
	return found;
}

/* Without such a line the end of the output tells most. */
static void ending_output(const struct ending *e, struct ending_to *to)
{
	size_t len = strlen(e->output), n;
	const char *from = e->output, *telling = ending_telling(e->output, &n);

	if (!len)
		return;
	if (telling) {
		ending_add(to, " Its last output: %.*s",
			   (int)(n < ENDING_OUTPUT ? n : ENDING_OUTPUT), telling);
		return;
	}
	if (len > ENDING_OUTPUT) {
		from += len - ENDING_OUTPUT;
		from += strcspn(from, " ");
	}
	ending_add(to, " Its last output: %s%s", from == e->output ? "" : "...", from);
}

void ending_text(const struct ending *e, char *text, size_t room)
{
	struct ending_to to = { .text = text, .room = room };
	int code = ending_code(e);
	bool hinted = *e->hint && code;

	*text = '\0';
	if (*e->failure) {
		ending_add(&to, "%s.", e->failure);
		return;
	}
	if (WIFSIGNALED(e->status))
		ending_signal(e, &to);
	else
		ending_add(&to, "the application ended with exit code %d after ", code);
	ending_add(&to, "%lld.%lld seconds%s", (long long)(e->ran_ms / 1000),
		   (long long)(e->ran_ms % 1000 / 100), hinted ? "" : ending_means(e));
	ending_memory(e, &to);
	ending_add(&to, ".");
	if (hinted)
		ending_add(&to, " Perhaps this is why: %s.", e->hint);
	ending_output(e, &to);
}
