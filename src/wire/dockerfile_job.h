/* dockerfile_job.h - one lowering; private to the dockerfile files. */
#ifndef WIRE_DOCKERFILE_JOB_H
#define WIRE_DOCKERFILE_JOB_H

#include "wire/dockerfile.h"
#include "wire/dockerfile_stage.h"

#define DOCKERFILE_KNOWN 200   /* bytes of a line by which it is recognized */
#define DOCKERFILE_SHOWN 4096  /* bytes of an instruction that are kept for its step */
#define DOCKERFILE_LONG  16384 /* of a line, above which it is broken; the builder takes 64 KiB */

struct dockerfile_job {
	const struct dockerfile *d;
	const struct dockerfile_lowering *how;
	struct dockerfile_lowered *out;
	struct dockerfile_stages stages;
	struct dockerfile_stage *stage;     /* that is being lowered */
	const struct dockerfile_inst *inst; /* that is being lowered */
	unsigned number;                    /* of it in its stage */
	struct dockerfile_vars given;       /* ARG lines that the stage has already */
	struct buf text;                    /* of the stage, without its FROM */
	size_t first_step;                  /* of the stage */
	bool workdir_waits;                 /* the builder makes it when something runs there */
	struct buf cmd;                     /* the line of the stage's own CMD */
	char escape;
	struct err *e;
};

#define dockerfile_refuse(j, ...) dockerfile_refuse_at(j, (j)->inst->line, __VA_ARGS__)
int dockerfile_refuse_at(struct dockerfile_job *j, int line, const char *fmt, ...)
	printf_like(3, 4);
void dockerfile_note(struct dockerfile_job *j, const char *text);

/* Append a line of lowered text.  @own: it stands for the user's instruction. */
void dockerfile_put(struct dockerfile_job *j, const char *line, bool own);

/* Append @text with its variables and without its quotes. */
int dockerfile_word_put(struct dockerfile_job *j, const char *text, size_t size,
			struct buf *to) must_check;
/* The value of a flag. */
int dockerfile_flag_put(struct dockerfile_job *j, const struct dockerfile_part *flag,
			struct buf *to) must_check;
/* Which of @n names the flag has; -1 and an error if none. */
int dockerfile_flag_which(struct dockerfile_job *j, const struct dockerfile_part *flag,
			  const char *const *names, size_t n) must_check;
int dockerfile_truth(struct dockerfile_job *j, const char *name, const char *text,
		     bool *to) must_check;

/* An absolute path without "." and "..": relative ones begin at @workdir, or at "/" if it is NULL.
 * A '/' at the end stays if @slash. */
void dockerfile_path(const char *workdir, const char *text, bool slash, struct buf *to);

/* The JSON array that the arguments are, or NULL if they are plain text. */
int dockerfile_array(struct dockerfile_job *j, const char *text, json_t **array) must_check;
/* Append @command, run by the stage's shell, as an array. */
void dockerfile_shell_put(const struct dockerfile_job *j, const char *command, struct buf *to);

/* The builder's name for what --from names. */
const char *dockerfile_from(struct dockerfile_job *j, const char *name);
/* The same for a mount, which finds no stage that comes from the builder's cache as a whole.  So it
 * gets a stage that has nothing of its own. */
const char *dockerfile_mount_from(struct dockerfile_job *j, const char *name);
/* The name of the build context by its content at @path. */
const char *dockerfile_own(struct dockerfile_job *j, const char *path);
/* Add a file to the heredoc context.  Returns its path there. */
const char *dockerfile_add_file(struct dockerfile_job *j, struct buf *data, const char *name,
				bool script);
void dockerfile_heredoc_body(const struct dockerfile_heredoc *h, struct buf *to);

void dockerfile_put_config(struct dockerfile_job *j, const char *text);

int dockerfile_lower_run(struct dockerfile_job *j);
int dockerfile_lower_copy(struct dockerfile_job *j);
int dockerfile_lower_config(struct dockerfile_job *j);
int dockerfile_lower_healthcheck(struct dockerfile_job *j);
/* Append "--mount=..." and a blank, or nothing if the step runs without it. */
int dockerfile_mount(struct dockerfile_job *j, const struct dockerfile_part *flag,
		     struct buf *to) must_check;
/* Make the working directory now, with its owner, unless what is copied to @target makes it. */
void dockerfile_need_workdir(struct dockerfile_job *j, const char *target);
/* What a stage keeps for its end, because later steps would not work with it. */
void dockerfile_put_volumes(struct dockerfile_job *j);
/* Fill a state with the configuration of a base image. */
void dockerfile_state_of_image(struct dockerfile_state *s, const json_t *config);

#endif
