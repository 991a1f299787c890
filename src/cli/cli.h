/* cli.h - the commands as a table, and what they share.
 *
 * main.c finds the row of a command, takes its options and arguments by that row, and calls its
 * function.  The help and the manual page are printed from the same rows. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdio.h>

#include "cli/client.h"

#define OPTIONS_MAX  9
#define EXAMPLES_MAX 4
#define OPTION_MANY  16

/* Status of a command that was typed wrongly; 1 is that of one that failed. */
#define USAGE 2

struct words {
	const char *const *at;
	size_t n;
};

struct typed;
/* 0, or the exit status after the reason was printed to stderr. */
typedef int command_fn(struct client *c, const struct typed *t);

struct option {
	const char *name;     /* "--idle" */
	const char *letter;   /* "-f", or NULL */
	const char *argument; /* "SECONDS"; NULL: a flag */
	const char *help;
	bool required;
	bool many; /* it may be given several times; one option of a command at most */
};

struct example {
	const char *words;          /* "run hello": shown as a command that reaches the instance */
	const char *before, *after; /* shell text around it, or NULL */
};

enum command_group { GROUP_DAEMON, GROUP_IMAGES, GROUP_MICROVMS, GROUP_ACCESS, GROUP_NUM };

/* What a command needs before it runs. */
enum command_reach {
	REACH_API,     /* a key pair: of this host's instance, or of a profile */
	REACH_HOST,    /* the configuration of this host: up, down, reload, doctor */
	REACH_CA,      /* that, or a profile */
	REACH_NOTHING, /* login */
};

struct command {
	const char *name;      /* "image build" */
	const char *arguments; /* "IMAGE [VERSION]" */
	size_t least, most;    /* how many arguments */
	const char *summary;
	const char *help; /* more sentences, or "" */
	struct option options[OPTIONS_MAX];
	struct example examples[EXAMPLES_MAX];
	command_fn *run;
	enum command_group group;
	enum command_reach reach;
};

extern const struct command commands[];
extern const size_t n_commands;
extern const struct option global_options[];
extern const size_t n_global_options;
extern const char *const group_names[GROUP_NUM];

command_fn cmd_backup, cmd_restore;
command_fn cmd_up, cmd_down, cmd_reload, cmd_env, cmd_doctor, cmd_stats, cmd_top;
command_fn cmd_login, cmd_profile_ls, cmd_profile_rm, cmd_ca_print, cmd_ca_fingerprint,
	cmd_ca_install;
command_fn cmd_image_build, cmd_image_rebuild, cmd_image_ls, cmd_image_rm, cmd_image_log,
	cmd_image_cancel;
command_fn cmd_base_ls, cmd_base_import, cmd_base_rm, cmd_base_pull;
command_fn cmd_run, cmd_ls, cmd_get, cmd_suspend, cmd_resume, cmd_rm, cmd_logs, cmd_curl, cmd_shell;
command_fn cmd_events, cmd_quota_ls, cmd_quota_set, cmd_quota_unset;
command_fn cmd_kms_create, cmd_kms_ls, cmd_kms_rotate, cmd_kms_enable, cmd_kms_disable, cmd_kms_rm;
command_fn cmd_account_create, cmd_account_ls, cmd_account_rm;
command_fn cmd_key_create, cmd_key_ls, cmd_key_rotate, cmd_key_rm, cmd_key_explain;
command_fn cmd_publish, cmd_publish_ls, cmd_unpublish, cmd_forward, cmd_token;

/* A token for this port of a microVM, for an hour; owned by the caller.  NULL: *e says why. */
char *curl_token(struct client *c, const char *id, long port, struct err *e);

/* One command as it was typed: its arguments, and a value for each row of command->options. */
struct typed {
	const struct command *command;
	struct words words;
	const char *values[OPTIONS_MAX]; /* NULL: not given; "" for a flag that was */
	const char *many[OPTION_MANY];   /* all values of the option that may come several times */
	size_t n_many;
};

/* The value of "--name", NULL where it was not given.  Only for names that the command's row has.
 */
const char *typed_option(const struct typed *t, const char *name);
/* Sort @w into *t by @cmd's row; `rest` has room for w.n words.  USAGE: said what is wrong. */
int typed_read(struct typed *t, const struct command *cmd, struct words w, const char **rest,
	       const struct conf *conf);

/* What words_options looks for. */
struct option_def {
	const char *name;   /* "--port"; takes a value unless `flag` is set */
	const char **value; /* gets the text */
	bool *flag;
	struct typed *many; /* gets it too, among others; NULL: it comes once */
};

/* Take the options out of *w; the rest goes to `rest` (room for w->n).  "--" ends the options.
 * -1: said what is wrong. */
int words_options(struct words *w, const struct option_def *defs, size_t n, const char **rest);
/* A number in a range; -1 after having said what is wrong. */
int words_number(const char *name, const char *text, long low, long high, long *value);

/* A time such as "3600", "90m", "12h" or "30d"; -1 after having said what is wrong. */
int words_seconds(const char *name, const char *text, long *seconds);

/* "/doze/v1/WHAT/NAME/TAIL?account=...", with what --account says: @name and @tail may be NULL.
 * Owned by the caller. */
char *account_path(const struct typed *t, const char *what, const char *name, const char *tail);

/* Print it to stderr, answer 1. */
int say(const struct err *e);
int say_text(const char *fmt, ...) printf_like(1, 2);

void help_all(FILE *to, const struct conf *conf);
void help_one(FILE *to, const struct command *cmd, const struct conf *conf);
/* "doze run [OPTION]... IMAGE" */
char *help_usage(const struct command *cmd, const struct conf *conf);

/* A name or the start of one: the full microVM id, or the ARN of the image; owned by the caller.
 * NULL: *e says why. */
char *name_microvm(struct client *c, const char *given, struct err *e);
char *name_image(struct client *c, const char *given, struct err *e);
/* What an image may be called: up to 64 letters, digits, '-' and '_'. */
bool name_image_valid(const char *name);
/* Pure: the one of `all` that is `given`, or the only one that starts with it.  NULL: none, or
 * several (*several). */
const char *name_pick(const char *const *all, size_t n, const char *given, bool *several);
/* False: nothing, or no more than what every id begins with. */
bool name_given(const char *given);

/* A table of text with aligned columns; `cells` holds n_rows * n_columns. */
void table_print(const char *const *head, size_t n_columns, const char *const *cells,
		 size_t n_rows);
void json_print(const json_t *value);         /* one indented document */
char *text_age(double epoch_s, double now_s); /* "5 s", "3 min", "2 h"; owned by the caller */

struct column {
	const char *head, *key;
	/* The cell of an item; NULL: the text under the key, "-" where there is none.  Owned by
	 * the caller. */
	char *(*cell)(const json_t *value, double now_s);
};

char *cell_age(const json_t *value, double now_s);      /* of seconds since 1970 */
char *cell_mib(const json_t *value, double now_s);      /* of bytes */
char *cell_arn_name(const json_t *value, double now_s); /* what follows an ARN's last colon */
/* The items of a list as a table, or as they are with --json. */
void list_print(const struct client *c, const json_t *items, const struct column *columns,
		size_t n_columns);
/* The same of what a GET of @path answers as `items`; a command's exit status. */
int list_show(struct client *c, const char *path, const struct column *columns, size_t n_columns);

json_t *microvms_live(const json_t *items); /* those that have not ended; a new array */
const char *json_text(const json_t *object, const char *key); /* "" if it is no text */

#endif
