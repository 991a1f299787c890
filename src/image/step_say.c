/* step_say.c - passes the builder's lines on, with the steps as the user numbered them.
 *
 * The builder counts the instructions of the lowered file. A line "STEP 4/9: ..." is its own only
 * if it is the step that comes next; everything else is what a step printed. */

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "image/step_lower.h"
#include "image/step_silence.h"

#define SAY_LINE  (64 * KIB) /* of a line that is looked at; a longer one is passed on in pieces */
#define SAY_SHOWN 400        /* bytes of an instruction in a line */

#define SAY_ENDING_MS 2000 /* in which the builder ends when it has said why */

/* "4/9" and what must stand behind it. Returns what follows, or NULL. */
static const char *say_pair(const char *at, unsigned *first, const char *behind)
{
	char *end;

	*first = (unsigned)strtoul(at, &end, 10);
	if (end == at || *end != '/' || !isdigit((unsigned char)end[1]))
		return NULL;
	(void)strtoul(end + 1, &end, 10);
	return strncmp(end, behind, strlen(behind)) != 0 ? NULL : end + strlen(behind);
}

/* "[2/3] STEP 4/9: " and "STEP 4/9: ".  Returns 0 if the line is none of them. */
static unsigned say_number(const char *line, unsigned *stage)
{
	unsigned number;

	*stage = 1;
	if (*line == '[')
		line = say_pair(line + 1, stage, "] ");
	if (!line || strncmp(line, "STEP ", 5) != 0 || !say_pair(line + 5, &number, ": "))
		return 0;
	return number;
}

/* The step of that number in its stage, which is counted from 1; NULL if there is none. */
static const struct dockerfile_step *say_find(const struct say *say, unsigned stage,
					      unsigned number)
{
	const struct dockerfile_lowered *l = say->lowered;

	for (size_t i = 0; i < l->n_steps; i++)
		if (l->steps[i].stage == stage && !--number)
			return &l->steps[i];
	return NULL;
}

/* One line, whatever the instruction's continuation looked like. */
static void say_text(const char *text, struct buf *to)
{
	bool blank = false;

	for (size_t shown = 0; *text && shown < SAY_SHOWN; text++) {
		if (isspace((unsigned char)*text)) {
			blank = true;
			continue;
		}
		buf_adds(to, blank ? " " : "");
		buf_add(to, text, 1);
		shown += 1 + blank;
		blank = false;
	}
	buf_adds(to, *text ? "..." : "");
}

static void say_step(struct say *say, const struct dockerfile_step *step)
{
	autobuf struct buf line = { 0 };

	say->step = step;
	if (!step->number)
		return;
	if (say->lowered->n_stages > 1)
		buf_addf(&line, "[%u/%u] ", step->user_stage, say->lowered->n_stages);
	buf_addf(&line, "STEP %u/%u: ", step->number, step->of);
	say_text(step->text, &line);
	printf("%s\n", buf_str(&line));
}

/* runc tells in a line of its log why a step could not start. */
static bool say_runtime(struct say *say, const char *line)
{
	static const char before[] = "msg=\"runc create failed: ";
	const char *at = strstr(line, before);
	size_t n = 0;

	if (!at)
		return !strncmp(line, "error running container: ", 25) ||
		       !strcmp(line, ": exit status 1");
	for (at += sizeof(before) - 1; *at && *at != '"' && n + 1 < sizeof(say->runtime); at++) {
		at += *at == '\\' && at[1];
		say->runtime[n++] = *at;
	}
	say->runtime[n] = '\0';
	return true;
}

/* What was taken for the builder's last words was printed by the step after all. */
static void say_release(struct say *say)
{
	if (say->error.size)
		printf("Error: %s\n", buf_str(&say->error));
	buf_clear(&say->error);
	say->ending = false;
}

static bool say_is_of(const struct dockerfile_step *step, const char *text)
{
	return !step->lowered || !strncmp(text, step->lowered, strlen(step->lowered));
}

/* The line that the builder prints before an instruction, which is known by its beginning.  The
 * steps of a stage come one after the other, but a stage that waits for another one gives way to
 * it. */
static const struct dockerfile_step *say_next(struct say *say, const char *line)
{
	unsigned stage, number = say_number(line, &stage);
	const struct dockerfile_step *step;

	if (!number || stage > say->lowered->n_lowered_stages || number != say->came[stage] + 1)
		return NULL;
	step = say_find(say, stage, number);
	if (!step || !say_is_of(step, strstr(line, ": ") + 2))
		return NULL;
	say->came[stage]++;
	return step;
}

/* doze-copy tells why it fails, in a line that may come before or after the builder's. */
static void say_hear_copier(struct say *say, const char *line)
{
	static const char before[] = "COPY: ";

	if (!strncmp(line, before, sizeof(before) - 1))
		snprintf(say->copier, sizeof(say->copier), "%s", line + sizeof(before) - 1);
}

/* Nothing but the copier speaks in a step that copies. */
static const char *say_copier_cause(const struct say *say, const struct dockerfile_step *step)
{
	bool copies = step && (!strncmp(step->text, "COPY ", 5) || !strncmp(step->text, "ADD ", 4));

	return copies && *say->copier ? say->copier : NULL;
}

/* The builder's lines are its own affair, such as ids of layers; errors come as one line. */
static bool say_own(struct say *say, const char *line)
{
	const struct dockerfile_step *next = say_next(say, line);
	bool is_error = !strncmp(line, "Error: ", 7);
	bool is_end = is_error && !strncmp(line + 7, "building at STEP ", 17);

	if (next) {
		say_release(say);
		say_step(say, next);
		return true;
	}
	/* A script in its text brings lines of its own, at once. What comes later shows that the
	 * builder goes on. */
	if (say->ending && !is_end && say->error.size < SAY_LINE &&
	    clock_mono_ms() - say->ended_ms < SAY_ENDING_MS) {
		buf_addf(&say->error, "\n%s", line);
		return true;
	}
	if (say->ending || is_error)
		say_release(say);
	if (is_error) {
		buf_adds(&say->error, line + 7);
		say->ending = is_end;
		say->ended_ms = clock_mono_ms();
		return true;
	}
	return say_runtime(say, line);
}

static int say_line(struct say *say, struct buf *line, bool whole)
{
	say->full = say->full || strstr(buf_str(line), "o space left on device");
	say_hear_copier(say, buf_str(line));
	if (!say_own(say, buf_str(line))) {
		say_release(say);
		fwrite(line->data, 1, line->size, stdout);
		fputs(whole ? "\n" : "", stdout);
	}
	buf_clear(line);
	return fflush(stdout) ? -1 : 0;
}

static int say_lost(struct err *e)
{
	return err_set(e, ERR_INTERNAL, "the build log cannot be written");
}

static int say_drain(struct say *say, int fd, struct err *e)
{
	autobuf struct buf line = { 0 };
	struct silence silence;
	char data[16384];

	step_silence_begin(&silence);
	for (;;) {
		ssize_t n;

		if (step_await_output(fd, &silence, e))
			return -1;
		n = read(fd, data, sizeof(data));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "read what the builder says");
		if (!n)
			return line.size && say_line(say, &line, true) ? say_lost(e) : 0;
		silence_heard(&silence, clock_mono_ms());
		for (ssize_t i = 0; i < n; i++) {
			bool ends = data[i] == '\n';

			if (!ends)
				buf_add(&line, &data[i], 1);
			if ((ends || line.size > SAY_LINE) && say_line(say, &line, ends))
				return say_lost(e);
		}
		/* A line that waits for its end is shown, so that progress is seen, unless it
		 * may become one of the builder's. */
		if (line.size && !strchr("CE[Se:", *line.data) && say_line(say, &line, false))
			return say_lost(e);
	}
}

int say_run(struct say *say, struct step_argv *a, struct err *e)
{
	int pipes[2], status = 0, rc;
	pid_t pid;

	say->came = xcalloc(say->lowered->n_lowered_stages + 1, sizeof(*say->came));
	if (pipe2(pipes, O_CLOEXEC))
		return err_sys(e, "make a pipe");
	fflush(stdout);
	pid = fork();
	if (!pid) {
		char *argv[ARRAY_SIZE(a->v)];
		int null = open("/dev/null", O_RDONLY);

		memcpy(argv, a->v, sizeof(argv));
		if (dup2(null, 0) < 0 || dup2(pipes[1], 1) < 0 || dup2(pipes[1], 2) < 0)
			_exit(126);
		signal(SIGPIPE, SIG_DFL);
		execvp(argv[0], argv);
		dprintf(2, "doze: %s: %s\n", argv[0], strerrordesc_np(errno));
		_exit(127);
	}
	close(pipes[1]);
	rc = pid < 0 ? err_sys(e, "start %s", a->v[0]) : 0;
	if (!rc)
		rc = say_drain(say, pipes[0], e);
	close(pipes[0]);
	if (rc && pid > 0) /* what it has started ends with the namespace */
		kill(pid, SIGKILL);
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, "wait for %s", a->v[0]);
	if (rc)
		return -1;
	if (!status)
		say_release(say);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* What stands before the cause is the builder's own text of the step, of which the last such words
 * are the end. */
static const char *say_cause(const char *error)
{
	static const char *const before[] = { "while running runtime: ", "\": " };

	for (size_t i = 0; i < ARRAY_SIZE(before); i++) {
		const char *found = NULL;

		for (const char *at = error; (at = strstr(at, before[i])); at++)
			found = at + strlen(before[i]);
		if (found)
			return found;
	}
	return error;
}

/* "unable to start container process: exec: "/x": stat /x: no such file or directory" */
static const char *say_start_cause(const char *runtime)
{
	static const char before[] = "unable to start container process: ";
	const char *at = strstr(runtime, before);

	return at ? at + sizeof(before) - 1 : runtime;
}

/* An array is not written there as it is in the step. */
static bool say_is_blamed(const struct dockerfile_step *step, const char *text)
{
	const char *array = step->lowered ? strstr(step->lowered, " [\"") : NULL;
	size_t n = step->lowered ? strlen(step->lowered) : 0;

	if (array)
		n = (size_t)(array - step->lowered);
	return n > sizeof("RUN") && !strncmp(text, step->lowered, n);
}

/* The builder names the step that failed, among those that each stage was at. */
static const struct dockerfile_step *say_failed_step(struct say *say)
{
	static const char before[] = "building at STEP \"";
	const char *text = buf_str(&say->error);

	if (strncmp(text, before, sizeof(before) - 1) != 0)
		return say->step;
	text += sizeof(before) - 1;
	if (say->step && say_is_blamed(say->step, text))
		return say->step;
	for (unsigned stage = 1; stage <= say->lowered->n_lowered_stages; stage++) {
		const struct dockerfile_step *step =
			say->came[stage] ? say_find(say, stage, say->came[stage]) : NULL;

		if (step && say_is_blamed(step, text))
			return step;
	}
	return say->step;
}

/* What was put before a step of the user's fails with that one's number. */
static const struct dockerfile_step *say_users(const struct say *say,
					       const struct dockerfile_step *step)
{
	const struct dockerfile_lowered *l = say->lowered;

	for (const struct dockerfile_step *at = step; at && at < l->steps + l->n_steps; at++)
		if (at->number && at->line == step->line && at->stage == step->stage)
			return at;
	return step;
}

void say_free(struct say *say)
{
	buf_free(&say->error);
	free(say->came);
}

void say_failure(struct say *say, struct buf *to)
{
	const struct dockerfile_step *step = say_users(say, say_failed_step(say));
	const char *copier = say_copier_cause(say, step);

	if (step)
		buf_addf(to, "Dockerfile:%d: ", step->line);
	if (step && step->number)
		buf_addf(to, "step %u/%u failed: ", step->number, step->of);
	if (step)
		say_text(step->text, to);
	if (copier)
		buf_addf(to, ": %s", copier);
	else if (say->runtime[0] || say->error.size)
		buf_addf(to, "%s%s", step ? ": " : "",
			 say->runtime[0] ? say_start_cause(say->runtime)
					 : say_cause(buf_str(&say->error)));
}
