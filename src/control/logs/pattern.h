/* pattern.h - filter patterns of CloudWatch Logs: which lines match.
 *
 *	word "a phrase" -without ?either ?or     each word is somewhere in the line
 *	{ $.level = "error" && $.code >= 500 }   lines that are JSON (pattern_json.c)
 *
 * An empty pattern matches all.  Words are compared as they are written.  If all words have a
 * question mark, one of them is enough; beside others they do not count.  Patterns of
 * fields between blanks, "[a, b]", and regular expressions, "%a%", are refused. */
#ifndef CONTROL_LOGS_PATTERN_H
#define CONTROL_LOGS_PATTERN_H

#include <jansson.h>

#include "base/err.h"

#define PATTERN_SIZE  1024 /* as the service has it */
#define PATTERN_DEPTH 32   /* of parentheses */

struct pattern_json;

enum log_word_kind { WORD_MUST, WORD_NOT, WORD_MAY };

struct log_word {
	char *text; /* owned */
	size_t size;
	enum log_word_kind how;
};

struct log_pattern {
	struct log_word *words; /* owned */
	size_t n;
	struct pattern_json *json; /* owned; NULL: words */
};

/* ERR_INVALID says what is wrong with it and where.  An all-zero one matches all. */
int log_pattern_read(struct log_pattern *p, const char *text, struct err *e) must_check;
void log_pattern_free(struct log_pattern *p);
bool log_pattern_matches(const struct log_pattern *p, const char *line, size_t size);

/* pattern_json.c's: what stands between the braces, and them too. */
struct pattern_json *pattern_json_read(const char *text, struct err *e);
void pattern_json_free(struct pattern_json *p);
bool pattern_json_matches(const struct pattern_json *p, const json_t *line);

#endif
