#include "net/parsers.h"

#include "base/sanitize.h"

#define PARSERS_MOST 64
#define PARSERS_ROOM (8 * KIB) /* of the head of one that is kept */

static struct {
	struct http1 *at[PARSERS_MOST];
	size_t n;
} parsers;

struct http1 *parser_take(bool requests)
{
	struct http1 *p;

	if (!parsers.n)
		return http1_new(requests);
	p = parsers.at[--parsers.n];
	http1_renew(p, requests);
	return p;
}

void parser_give(struct http1 *p)
{
	if (BUILT_WITH_ASAN || parsers.n == PARSERS_MOST || !p || http1_room(p) > PARSERS_ROOM)
		http1_free(p);
	else
		parsers.at[parsers.n++] = p;
}
