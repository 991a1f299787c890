/* dockerfile_run.c - RUN: its flags and its heredocs. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "wire/dockerfile_job.h"

/* Where a script with an interpreter is bound. /dev is a tmpfs of the step, so nothing of it stays.
 */
#define DOCKERFILE_SCRIPT "/dev/doze-heredoc"
#define DOCKERFILE_ARG    (96 * KIB) /* the kernel takes 128 KiB for one argument */

static int dockerfile_network(struct dockerfile_job *j, const char *value, struct buf *to)
{
	if (!strcmp(value, "none"))
		buf_adds(to, "--mount=type=tmpfs,target=" DOCKERFILE_NO_NETWORK " ");
	else if (strcmp(value, "default") != 0 && strcmp(value, "host") != 0)
		return dockerfile_refuse(j, "RUN --network takes default, none or host");
	return 0; /* a step has the network of its build, which is all that there is of a host */
}

static int dockerfile_run_flag(struct dockerfile_job *j, const struct dockerfile_part *flag,
			       struct buf *to)
{
	static const char *const names[] = { "--mount", "--network", "--security", "--device" };
	int which = dockerfile_flag_which(j, flag, names, ARRAY_SIZE(names));
	autobuf struct buf value = { 0 };

	if (which < 0)
		return -1;
	if (which == 0)
		return dockerfile_mount(j, flag, to);
	if (dockerfile_flag_put(j, flag, &value))
		return -1;
	if (which == 1)
		return dockerfile_network(j, buf_str(&value), to);
	if (which == 3)
		return dockerfile_refuse(j, "RUN --device: builds have no devices here");
	if (!strcmp(buf_str(&value), "sandbox"))
		return 0;
	return dockerfile_refuse(j, "RUN --security: only sandbox is allowed here");
}

/* Variables that are not the image's are given to RUN by ARG. */
static void dockerfile_give_args(struct dockerfile_job *j)
{
	const struct dockerfile_vars *args = &j->stage->state.args;

	for (size_t i = 0; i < args->n; i++) {
		const char *was = dockerfile_vars_get(&j->given, args->v[i].name);
		autobuf struct buf line = { 0 };

		if (was && !strcmp(was, args->v[i].value))
			continue;
		buf_adds(&line, "ARG ");
		dockerfile_quote(&line, args->v[i].name);
		buf_adds(&line, "=");
		dockerfile_quote(&line, args->v[i].value);
		dockerfile_put(j, buf_str(&line), false);
		dockerfile_vars_set(&j->given, args->v[i].name, args->v[i].value);
	}
}

static void dockerfile_bind_script(struct dockerfile_job *j, struct buf *script, struct buf *line)
{
	const char *path = dockerfile_add_file(j, script, "script", true);

	buf_addf(line,
		 "--mount=type=bind,from=" DOCKERFILE_CONTEXT ",source=%s,target=" DOCKERFILE_SCRIPT
		 " ",
		 path);
}

/* A heredoc that is the whole command is the script itself; the shell reads any other as it was
 * written. */
static void dockerfile_command(const struct dockerfile_parts *p, struct buf *to)
{
	const struct dockerfile_part *first = p->words;
	const struct dockerfile_inst *inst = p->inst;

	if (p->n_words == 1 && first->heredoc && !isdigit((unsigned char)*first->text)) {
		dockerfile_heredoc_body(first->heredoc, to);
		return;
	}
	buf_adds(to, p->rest);
	for (size_t i = 0; i < inst->n_heredocs; i++) {
		buf_adds(to, "\n");
		buf_add(to, inst->heredocs[i].body.data, inst->heredocs[i].body.size);
		buf_adds(to, inst->heredocs[i].name);
	}
	buf_adds(to, inst->n_heredocs ? "\n" : "");
}

static int dockerfile_print_run(struct dockerfile_job *j, const struct dockerfile_parts *p,
				struct buf *line)
{
	autobuf struct buf command = { 0 };
	json_t *array = NULL;

	if (!p->inst->n_heredocs && dockerfile_array(j, p->rest, &array))
		return -1;
	if (array) {
		autofree char *dump = json_dumps(array, JSON_COMPACT);
		bool empty = !json_array_size(array);

		json_decref(array);
		buf_adds(line, dump);
		return empty ? dockerfile_refuse(j, "RUN without a command") : 0;
	}
	dockerfile_command(p, &command);
	if (!command.size && !p->inst->n_heredocs)
		return dockerfile_refuse(j, "RUN without a command");
	if (p->inst->n_heredocs && command.size > 2 && !memcmp(command.data, "#!", 2)) {
		dockerfile_bind_script(j, &command, line);
		buf_adds(line, "[\"" DOCKERFILE_SCRIPT "\"]");
	} else if (command.size > DOCKERFILE_ARG) {
		dockerfile_bind_script(j, &command, line);
		dockerfile_shell_put(j, ". " DOCKERFILE_SCRIPT, line);
	} else {
		dockerfile_shell_put(j, buf_str(&command), line);
	}
	return 0;
}

int dockerfile_lower_run(struct dockerfile_job *j)
{
	autobuf struct buf line = { 0 };
	struct dockerfile_parts p;
	int rc = 0;

	dockerfile_parts_read(&p, j->inst, j->escape);
	buf_adds(&line, "RUN ");
	for (size_t i = 0; !rc && i < p.n_flags; i++)
		rc = dockerfile_run_flag(j, &p.flags[i], &line);
	if (!rc)
		rc = dockerfile_print_run(j, &p, &line);
	if (!rc) {
		j->workdir_waits = false;
		dockerfile_give_args(j);
		dockerfile_put(j, buf_str(&line), true);
	}
	dockerfile_parts_free(&p);
	return rc;
}
