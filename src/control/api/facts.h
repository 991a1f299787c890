/* facts.h - the circumstances of a request, as the condition keys of policies name them. */
#ifndef CONTROL_API_FACTS_H
#define CONTROL_API_FACTS_H

#include "control/api/call.h"
#include "iam/query.h"

struct facts {
	const struct call *call; /* NULL: of no request (doze key explain) */
	const struct access_key *key;
	const json_t *tags;     /* of the resource; NULL: none */
	const char *associated; /* what a role is passed for; NULL: none is */
	const json_t *given;    /* before anything else: keys with a text each; NULL: none */
};

/* @arg is a struct facts. */
void facts_lookup(const void *arg, const char *key, struct iam_values *to);

#endif
