/* authorize.h - may whoever signed do this?  The same policies as those of the API, on S3's
 * actions, resources and condition keys; a bucket belongs to an account, and to no other. */
#ifndef OBJECTS_AUTHORIZE_H
#define OBJECTS_AUTHORIZE_H

#include "objects/request.h"

/* The request's operation, on its bucket and key.  False: it is answered. */
bool authorize_request(struct request *r) must_check;
/* Another action, on an object; @text (NULL: not wanted) is the sentence of a refusal, the
 * caller's. Nothing is answered. */
bool authorize_object(const struct request *r, const char *action, const char *bucket,
		      const char *key, char **text) must_check;
/* The bucket is of the account of who signed. */
bool authorize_owns(const struct request *r, const struct bucket *b);

#endif
