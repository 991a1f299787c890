/* cli.h - the commands, as data. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "cli/client.h"

/* What a command got behind its name.  Options are taken out first. */
struct words {
	const char *const *at;
	size_t n;
};

/* 0, or the exit status after having said why on stderr. */
typedef int command_fn(struct client *c, struct words w);

struct command {
	const char *name;  /* "image build" */
	const char *usage; /* what follows the name */
	const char *summary;
	const char *help; /* more, with examples */
	command_fn *run;
	bool local; /* needs no key pair: up, down, doctor */
};

extern const struct command commands[];
extern const size_t n_commands;

command_fn cmd_up, cmd_down, cmd_env;
command_fn cmd_image_build, cmd_image_rebuild, cmd_image_ls, cmd_image_rm, cmd_image_log;
command_fn cmd_run, cmd_ls, cmd_get, cmd_suspend, cmd_resume, cmd_rm, cmd_logs, cmd_curl;
command_fn cmd_base_ls, cmd_base_import, cmd_stats, cmd_doctor;

/* One option of a command. */
struct option_def {
	const char *name;   /* "--port"; takes a value unless `flag` is set */
	const char **value; /* gets the text */
	bool *flag;
};

/* Take the options out of *w; the rest goes to `rest` (room for w->n).  "--" ends options.  -1:
 * said what is wrong. */
int words_options(struct words *w, const struct option_def *defs, size_t n, const char **rest);
/* A number in a range; -1 after having said what is wrong. */
int words_number(const char *name, const char *text, long low, long high, long *value);

/* Say it on stderr, answer 1. */
int say(const struct err *e);
int say_text(const char *fmt, ...) printf_like(1, 2);

/* A name or a unique prefix: the full microvmId, or the ARN of the image; owned by the caller,
 * NULL: *e says why. */
char *name_microvm(struct client *c, const char *given, struct err *e);
char *name_image(struct client *c, const char *given, struct err *e);
/* Pure: the one of `all` that is `given` or the only one that begins so.  NULL: none, or several
 * (*several). */
const char *name_pick(const char *const *all, size_t n, const char *given, bool *several);

/* A table of text with aligned columns; `rows` holds n_rows * n_columns cells. */
void table_print(const char *const *head, size_t n_columns, const char *const *cells,
		 size_t n_rows);
void json_print(const json_t *value);         /* one indented document */
char *text_age(double epoch_s, double now_s); /* "5 s", "3 min", "2 h"; owned by the caller */

const char *json_text(const json_t *object, const char *key); /* "" if it is no text */

#endif
